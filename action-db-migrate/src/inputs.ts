import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  boolean,
  duration,
  InputError,
  integer,
  oneOf,
  optional,
  optionalSecret,
  required,
} from '../../lib/runner/inputs.ts';
import type { Runner } from '../../lib/runner/runner.ts';
import { privateKeyInput } from '../../lib/ssh/inputs.ts';

const COMMANDS = ['migrate', 'validate', 'info', 'repair'] as const;

export interface Inputs {
  command: (typeof COMMANDS)[number];
  scripts:
    | {
        from: 'image';
        reference: string;
        login: { username: string; password: string } | undefined;
      }
    | { from: 'folder'; path: string };
  database: string;
  owner: string;
  terraformOutputs: string;
  privateKey: string;
  port: number;
  dryRun: boolean;
  backup: boolean;
  limits: { lockMs: number; statementMs: number };
  flywayVersion: string;
}

export function readInputs(runner: Runner): Inputs {
  const command = oneOf(runner, 'command', COMMANDS, 'migrate');
  const database = identifier(required(runner, 'database', 'give its name.'), 'database');
  if (command === 'repair' && optional(runner, 'repair-confirm') !== database) {
    throw new InputError(
      'repair-confirm',
      `must be '${database}': repair declares edited scripts to be right, so look at validate first.`,
    );
  }
  return {
    command,
    scripts: scripts(runner),
    database,
    owner: identifier(optional(runner, 'owner') ?? `${database}_owner`, 'owner'),
    terraformOutputs: file(runner),
    privateKey: privateKeyInput(runner),
    port: port(runner),
    dryRun: boolean(runner, 'dry-run', false),
    backup: boolean(runner, 'backup', true),
    limits: {
      lockMs: duration(runner, 'lock-timeout', '5s'),
      statementMs: duration(runner, 'statement-timeout', '15m'),
    },
    flywayVersion: optional(runner, 'flyway-version') ?? '11.8.2',
  };
}

function scripts(runner: Runner): Inputs['scripts'] {
  const reference = optional(runner, 'image');
  const path = optional(runner, 'locations');
  const username = optional(runner, 'username');
  const password = optionalSecret(runner, 'password');
  if (reference !== undefined) {
    if (!/@sha256:[0-9a-f]{64}$/.test(reference)) {
      throw new InputError('image', `is '${reference}': give it by digest (name@sha256:…).`);
    }
    const login = username && password ? { username, password } : undefined;
    return { from: 'image', reference, login };
  }
  if (path === undefined) {
    throw new InputError('image', 'is missing: give the image with the scripts, or locations.');
  }
  if (!existsSync(path)) throw new InputError('locations', `is '${path}', which does not exist.`);
  return { from: 'folder', path: resolve(path) };
}

/** Names go into SQL as quoted identifiers; what would need escaping is refused instead. */
function identifier(value: string, input: string): string {
  if (/^[a-z_][a-z0-9_]{0,62}$/.test(value)) return value;
  throw new InputError(input, `is '${value}': lower-case letters, digits and _ only.`);
}

function file(runner: Runner): string {
  const path = required(runner, 'terraform-outputs', 'give the file of `terraform output -json`.');
  if (existsSync(path)) return path;
  throw new InputError('terraform-outputs', `is '${path}', which does not exist.`);
}

function port(runner: Runner): number {
  const value = integer(runner, 'port', 5432, { min: 1, max: 65535 });
  if (value === 6432) {
    throw new InputError(
      'port',
      "is PgBouncer's: Flyway's locks need a session of their own, so give PostgreSQL's (5432).",
    );
  }
  return value;
}
