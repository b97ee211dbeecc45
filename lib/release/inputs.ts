import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Inventory, parseTerraformOutputs } from '../inventory/inventory.ts';
import {
  duration,
  InputError,
  integer,
  lines,
  oneOf,
  optional,
  required,
} from '../runner/inputs.ts';
import type { Runner } from '../runner/runner.ts';
import { privateKeyInput } from '../ssh/inputs.ts';
import { KnownHosts } from '../ssh/known-hosts.ts';

import { type Destination, destinationOf } from './connect.ts';
import type { Circumstances } from './deploy.ts';

const environments = ['production', 'staging', 'dev'] as const;

export const environmentInput = (runner: Runner): string =>
  oneOf(runner, 'environment', environments);

/** Where to: from `terraform-outputs`, or from `hosts`, `known-hosts`, `jump-host`, `user`, `port`. */
export function destinationInputs(runner: Runner): Destination {
  const privateKey = privateKeyInput(runner);
  const path = optional(runner, 'terraform-outputs');
  if (path !== undefined) {
    const destination = destinationOf(inventoryFrom(path), privateKey);
    if (destination.hosts.length > 0) return destination;
    throw new InputError('terraform-outputs', `is '${path}', which has no application server.`);
  }
  const hosts = lines(runner, 'hosts').map((line) => {
    const [name = '', address = name] = line.split('=').map((part) => part.trim());
    return { name, address };
  });
  if (hosts.length === 0) {
    throw new InputError(
      'terraform-outputs',
      'is missing: give the file of `terraform output -json`, or `hosts` and `known-hosts`.',
    );
  }
  const knownHosts = required(runner, 'known-hosts', 'give a known_hosts line for each host.');
  valid('known-hosts', 'cannot be read.', () => new KnownHosts(knownHosts));
  const jumpHost = optional(runner, 'jump-host');
  return {
    hosts,
    ssh: {
      privateKey,
      knownHosts,
      user: optional(runner, 'user') ?? 'deploy',
      port: integer(runner, 'port', 2222, { min: 1, max: 65535 }),
      ...(jumpHost === undefined ? {} : { jumpHost }),
    },
  };
}

export function inventoryFrom(path: string): Inventory {
  if (!existsSync(path)) {
    throw new InputError('terraform-outputs', `is '${path}', which does not exist.`);
  }
  return valid('terraform-outputs', `is '${path}', which cannot be used.`, () =>
    parseTerraformOutputs(JSON.parse(readFileSync(path, 'utf8'))),
  );
}

/** Limits and manners that a deploy and a rollback share. */
export function circumstancesInputs(
  runner: Runner,
): Omit<Circumstances, 'say' | 'cancelled' | 'rollbackOnFailure' | 'by' | 'run'> {
  const baseUrl = optional(runner, 'base-url');
  if (baseUrl !== undefined && !URL.canParse(baseUrl)) {
    throw new InputError('base-url', `is '${baseUrl}': give a URL such as https://compta.tn.`);
  }
  return {
    batch: integer(runner, 'batch', 1, { min: 1 }),
    healthTimeout: duration(runner, 'health-timeout', '3m'),
    drainTimeout: duration(runner, 'drain-timeout', '30s'),
    lockTimeout: duration(runner, 'lock-timeout', '15m'),
    edgeDrain: duration(runner, 'edge-drain', '15s'),
    keep: integer(runner, 'keep', 3, { min: 2 }),
    ...(baseUrl === undefined ? {} : { baseUrl }),
  };
}

/** Who releases, as the lease, the history and the audit log name them. */
export function identity(env: NodeJS.ProcessEnv): { by: string; run: string } {
  const { GITHUB_SERVER_URL, GITHUB_REPOSITORY, GITHUB_RUN_ID, GITHUB_ACTOR } = env;
  const by = GITHUB_ACTOR ?? env.USER ?? 'unknown';
  if (GITHUB_RUN_ID === undefined) return { by, run: '' };
  return { by, run: `${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}/actions/runs/${GITHUB_RUN_ID}` };
}

/** Content of a file that an input names, with its default. */
export function fileInput(runner: Runner, name: string, fallback: string): string {
  const path = optional(runner, name) ?? fallback;
  if (!existsSync(path)) throw new InputError(name, `is '${path}', which does not exist.`);
  return path;
}

export const defaultComposeFile = (environment: string): string =>
  join('infra/docker/compose', environment, 'docker-compose.yml.j2');
export const defaultCaddyfile = 'infra/docker/Caddyfile';

function valid<T>(input: string, problem: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    throw new InputError(input, problem, cause);
  }
}
