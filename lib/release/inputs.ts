import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Inventory, parseTerraformOutputs } from '../inventory/inventory.ts';
import type { Login } from '../registry/login.ts';
import {
  asWritten,
  duration,
  InputError,
  integer,
  lines,
  oneOf,
  optional,
  optionalSecret,
  required,
  secretYaml,
  webAddress,
  yaml,
} from '../runner/inputs.ts';
import type { Runner } from '../runner/runner.ts';
import { privateKeyInput } from '../ssh/inputs.ts';
import { KnownHosts } from '../ssh/known-hosts.ts';
import type { Circumstances } from './bring.ts';
import { renderCompose } from './compose.ts';
import { type Destination, destinationOf, unreachableChoices } from './connect.ts';
import { imagesSchema, sortImages, variablesSchema } from './images.ts';
import type { Asked } from './rollback.ts';
import { type Secrets, secretsSchema } from './secrets.ts';
import { mistakeIn, type Wanted } from './target.ts';

/** Environment variable that has the token of the lease which is held around a command. */
export const LEASE_VARIABLE = 'COMPTA_LEASE';

const environments = ['production', 'staging', 'dev'] as const;

const environmentInput = (runner: Runner): string => oneOf(runner, 'environment', environments);

/** Where to: from `terraform-outputs`, or from `hosts`, `known-hosts`, `jump-host`, `user`, `port`. */
export function destinationInputs(runner: Runner): Destination {
  const privateKey = privateKeyInput(runner);
  const unreachable = oneOf(runner, 'unreachable', unreachableChoices, 'fail');
  const path = optional(runner, 'terraform-outputs');
  if (path !== undefined) {
    const inventory = inventoryFrom(path);
    const environment = optional(runner, 'environment') ?? inventory.environment;
    if (inventory.environment !== environment) {
      const whose = `is '${path}', which is of ${inventory.environment}`;
      throw new InputError('terraform-outputs', `${whose}; \`environment\` is ${environment}.`);
    }
    const destination = destinationOf(inventory, privateKey, unreachable);
    if (destination.hosts.length > 0) return destination;
    throw new InputError('terraform-outputs', `is '${path}', which has no application server.`);
  }
  const hosts = lines(runner, 'hosts').map((line) => {
    const [, name, address = ''] = /^(?:([\w.-]+) *= *)?([\w.:-]+)$/.exec(line) ?? [];
    if (address === '') {
      throw new InputError('hosts', `has '${line}': give name=address or address, one a line.`);
    }
    return { name: name ?? address, address };
  });
  if (hosts.length === 0) {
    throw new InputError(
      'terraform-outputs',
      'is missing: give the file of `terraform output -json`, or `hosts` and `known-hosts`.',
    );
  }
  for (const key of ['name', 'address'] as const) {
    const twice = hosts.find(
      (host, i) => hosts.findIndex((other) => other[key] === host[key]) !== i,
    );
    if (twice !== undefined) throw new InputError('hosts', `has '${twice[key]}' twice.`);
  }
  const knownHosts = required(runner, 'known-hosts', 'give a known_hosts line for each host.');
  valid('known-hosts', 'cannot be read.', () => new KnownHosts(knownHosts));
  const jumpHost = optional(runner, 'jump-host');
  return {
    hosts,
    unreachable,
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
): Omit<Circumstances, 'tell' | 'cancelled' | 'rollbackOnFailure' | 'by' | 'run'> {
  const baseUrl = webAddress(runner, 'base-url', 'https://compta.tn');
  const login = loginInputs(runner);
  return {
    ...(login === undefined ? {} : { login }),
    batch: integer(runner, 'batch', 1, { min: 1 }),
    healthTimeout: duration(runner, 'health-timeout', '3m', 1),
    drainTimeout: duration(runner, 'drain-timeout', '30s'),
    lockTimeout: duration(runner, 'lock-timeout', '15m'),
    edgeDrain: duration(runner, 'edge-drain', '15s'),
    keep: integer(runner, 'keep', 3, { min: 2 }),
    ...(baseUrl === undefined ? {} : { baseUrl }),
  };
}

/** What a deploy brings: `version`, `images`, `variables`, `secrets`, `compose-file`, `caddyfile`. */
export function wantedInputs(runner: Runner): Wanted {
  const environment = environmentInput(runner);
  const version = required(runner, 'version', 'give the version that is released.');
  if (!/^[\w.+-]+$/.test(version)) {
    throw new InputError(
      'version',
      `is '${version}': give letters, digits, '.', '_', '+' and '-'.`,
    );
  }
  const given = yaml(runner, 'images', imagesSchema);
  if (given === undefined || Object.keys(given).length === 0) {
    const what = given === undefined ? 'is missing' : 'names no service';
    throw new InputError(
      'images',
      `${what}: give the \`images\` output of action-build. To release variables or secrets alone, ` +
        'name a service of theirs with the image that it has.',
    );
  }
  const values = yaml(runner, 'variables', variablesSchema, asWritten) ?? {};
  const { images, variables } = sortImages(given, values);
  const composeFile = fileInput(
    runner,
    'compose-file',
    join('infra/docker/compose', environment, 'docker-compose.yml.j2'),
  );
  const caddyfile = readFileSync(fileInput(runner, 'caddyfile', 'infra/docker/Caddyfile'), 'utf8');
  const compose = valid('compose-file', `is '${composeFile}', which cannot be used.`, () =>
    renderCompose(composeFile, variables),
  );
  const secrets = secretsInput(runner);
  const wanted = { environment, version, images, variables, secrets, caddyfile, compose };
  const mistake = mistakeIn(wanted);
  if (mistake !== undefined) throw new InputError(mistake.input, mistake.problem);
  return wanted;
}

/** The input `secrets`, masked before anything else is done with it. */
function secretsInput(runner: Runner): Secrets {
  const secrets = secretYaml(runner, 'secrets', secretsSchema, asWritten) ?? {};
  for (const content of Object.values(secrets).flatMap(Object.values)) runner.mask(content);
  return secrets;
}

/** What a rollback asks for: `reason`, `confirm`, `version`, `services`, `from`. */
export function askedInputs(runner: Runner): Asked & { reason: string } {
  const environment = environmentInput(runner);
  const reason = required(runner, 'reason', 'say why, for the audit log and those who read it.');
  const confirm = required(runner, 'confirm', `repeat the environment's name, '${environment}'.`);
  if (confirm !== environment) {
    throw new InputError('confirm', `is '${confirm}': repeat the environment, '${environment}'.`);
  }
  const version = optional(runner, 'version');
  const from = optional(runner, 'from');
  const services = lines(runner, 'services').flatMap((line) => line.split(/[\s,]+/));
  return {
    environment,
    reason,
    services,
    ...(version !== undefined && { version }),
    ...(from !== undefined && { from }),
  };
}

/** `registry`, `username` and `password`: all of them or none. */
function loginInputs(runner: Runner): Login | undefined {
  const password = optionalSecret(runner, 'password');
  const registry = optional(runner, 'registry');
  const username = optional(runner, 'username');
  if (password === undefined && username === undefined) return undefined;
  for (const [name, value] of Object.entries({ registry, username, password })) {
    if (value !== undefined) continue;
    throw new InputError(name, 'is missing: a login needs `registry`, `username` and `password`.');
  }
  return { registry, username, password } as Login;
}

/**
 * Who releases, as the lease, the history and the audit log name them; and in `within` the token of
 * the lease that `compta lock` holds around this process.
 */
export function identity(env: NodeJS.ProcessEnv): {
  by: string;
  run: string;
  within: number | undefined;
} {
  const { GITHUB_SERVER_URL, GITHUB_REPOSITORY, GITHUB_RUN_ID, GITHUB_ACTOR } = env;
  const by = GITHUB_ACTOR ?? env.USER ?? 'unknown';
  const url = `${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}/actions/runs/${GITHUB_RUN_ID}`;
  const run = GITHUB_RUN_ID === undefined ? '' : url;
  return { by, run, within: env[LEASE_VARIABLE] ? Number(env[LEASE_VARIABLE]) : undefined };
}

function fileInput(runner: Runner, name: string, fallback: string): string {
  const path = optional(runner, name) ?? fallback;
  if (!existsSync(path)) throw new InputError(name, `is '${path}', which does not exist.`);
  if (!statSync(path).isFile()) throw new InputError(name, `is '${path}', which is no file.`);
  return path;
}

function valid<T>(input: string, problem: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    throw new InputError(input, problem, cause);
  }
}
