import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { hcloudToken } from '../../lib/hetzner/token.ts';
import {
  duration,
  InputError,
  integer,
  oneOf,
  optional,
  required,
  secretYaml,
  yaml,
} from '../../lib/runner/inputs.ts';
import type { Runner } from '../../lib/runner/runner.ts';
import { privateKeyInput } from '../../lib/ssh/inputs.ts';
import { scalars } from './vault.ts';
import { type VaultPassword, vaultPasswords } from './vault-passwords.ts';

/** Ansible's own, and Mitogen's of the same meaning. */
const STRATEGIES = ['linear', 'free', 'mitogen_linear', 'mitogen_free'] as const;
type Strategy = (typeof STRATEGIES)[number];

export interface Inputs {
  directory: string;
  /** Relative to `directory`, as Ansible will print it. */
  playbook: string;
  inventory: string;
  /** Where the host keys come from: without either there is no way to know whom we talk to. */
  hosts: { from: 'terraform'; file: string } | { from: 'inventory' };
  /** Beside those that Terraform knows: of a jump host, or of a server with private Galaxy roles. */
  knownHosts: string;
  jumpHost: string | undefined;
  privateKey: string;
  hcloudToken: string | undefined;
  vaultPasswords: VaultPassword[];
  limit: string | undefined;
  tags: string | undefined;
  extraVars: Record<string, unknown>;
  check: boolean;
  requirements: string | undefined;
  version: string;
  timeoutMs: number;
  taskTimeoutMs: number;
  strategy: Strategy;
  retryUnreachable: number;
  /** Milliseconds to wait for the release lease; none is taken when undefined. */
  releaseLeaseMs: number | undefined;
}

const variables = z.record(z.string(), z.unknown());

export function readInputs(runner: Runner): Inputs {
  const directory = resolve(optional(runner, 'directory') ?? '.');
  const inside = (input: string, path: string) => {
    if (!existsSync(join(directory, path))) {
      throw new InputError(input, `is '${path}', which does not exist in ${directory}.`);
    }
    return path;
  };
  const requirements = optional(runner, 'requirements');
  return {
    directory,
    playbook: inside('playbook', required(runner, 'playbook', 'give the playbook to run.')),
    inventory: resolve(
      directory,
      inside('inventory', required(runner, 'inventory', 'give the inventory of the hosts.')),
    ),
    hosts: hosts(runner),
    knownHosts: optional(runner, 'known-hosts') ?? '',
    jumpHost: jumpHost(runner),
    privateKey: privateKeyInput(runner),
    hcloudToken: hcloudToken(runner),
    vaultPasswords: vaultPasswords(runner),
    limit: optional(runner, 'limit'),
    tags: optional(runner, 'tags'),
    extraVars: { ...yaml(runner, 'extra-vars', variables), ...secretVars(runner) },
    check: oneOf(runner, 'mode', ['run', 'check'], 'run') === 'check',
    requirements: requirements && inside('requirements', requirements),
    version: version(runner),
    timeoutMs: duration(runner, 'timeout', '30m', 1),
    taskTimeoutMs: duration(runner, 'task-timeout', '0'),
    strategy: oneOf(runner, 'strategy', STRATEGIES, 'linear'),
    retryUnreachable: integer(runner, 'retry-unreachable', 1, { max: 10 }),
    releaseLeaseMs: releaseLease(runner),
  };
}

function hosts(runner: Runner): Inputs['hosts'] {
  const file = optional(runner, 'terraform-outputs');
  if (file !== undefined) {
    if (existsSync(file)) return { from: 'terraform', file };
    throw new InputError('terraform-outputs', `is '${file}', which does not exist.`);
  }
  if (optional(runner, 'known-hosts') !== undefined) return { from: 'inventory' };
  throw new InputError(
    'known-hosts',
    'is missing, and so is terraform-outputs: host keys are always checked. Give the file of ' +
      '`terraform output -json`, or the lines that the server’s console shows for ' +
      '/etc/ssh/ssh_host_ed25519_key.pub.',
  );
}

function jumpHost(runner: Runner): string | undefined {
  const value = optional(runner, 'jump-host');
  if (value === undefined || /^([\w.-]+@)?[\w.-]+(:\d+)?$/.test(value)) return value;
  throw new InputError('jump-host', `is '${value}': give [user@]address[:port].`);
}

function releaseLease(runner: Runner): number | undefined {
  if (optional(runner, 'release-lease') === undefined) return undefined;
  if (optional(runner, 'terraform-outputs') === undefined) {
    throw new InputError('release-lease', "needs 'terraform-outputs', which names the servers.");
  }
  return duration(runner, 'release-lease', '');
}

function secretVars(runner: Runner): Record<string, unknown> {
  const given = secretYaml(runner, 'secret-vars', variables) ?? {};
  for (const value of scalars(given)) runner.mask(value);
  return given;
}

function version(runner: Runner): string {
  const value = optional(runner, 'version') ?? '2.19.14';
  if (/^\d+\.\d+\.\d+$/.test(value)) return value;
  throw new InputError('version', `is '${value}': give an exact version such as 2.19.14.`);
}
