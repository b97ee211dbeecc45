import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Inventory } from '../../lib/inventory/inventory.ts';
import { isAtRemote } from '../../lib/migration/backup.ts';
import { historyIn, type RestoredHistory } from '../../lib/migration/drill.ts';
import {
  COMMANDS,
  type Command,
  DEFAULTS,
  needsScripts,
  type Request,
  serviceOf,
} from '../../lib/migration/request.ts';
import type { ScriptSource } from '../../lib/migration/scripts.ts';
import { inventoryFrom } from '../../lib/release/inputs.ts';
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

export interface Inputs {
  request: Request;
  inventory: Inventory;
  privateKey: string;
}

const MEBIBYTE = 1024 ** 2;

export function readInputs(runner: Runner): Inputs {
  const command = oneOf(runner, 'command', COMMANDS, 'migrate');
  const database = identifier(required(runner, 'database', 'give its name.'), 'database');
  const scripts = needsScripts(command) ? scriptSource(runner) : undefined;
  const { statements, limits } = DEFAULTS;
  const time = (name: string, fallback: number, least: 0 | 1 = 0) =>
    duration(runner, name, `${fallback}ms`, least);
  const mebibytes = (name: string, fallback: number) =>
    integer(runner, name, fallback / MEBIBYTE, { max: 1024 ** 2 }) * MEBIBYTE;
  const request: Request = {
    command,
    scripts,
    database,
    owner: identifier(optional(runner, 'owner') ?? `${database}_owner`, 'owner'),
    service: optional(runner, 'service') ?? serviceOf(scripts, database),
    port: port(runner),
    dryRun: boolean(runner, 'dry-run', false),
    rehearse: boolean(runner, 'rehearse', false),
    backup: boolean(runner, 'backup', true),
    ...backupToUse(runner, command),
    history: restoredHistory(runner, command, database),
    backupDirectory: absolute(runner, 'backup-directory') ?? DEFAULTS.backupDirectory,
    statements: {
      // For PostgreSQL, 0 is no limit.
      lockMs: time('lock-timeout', statements.lockMs, 1),
      statementMs: time('statement-timeout', statements.statementMs, 1),
    },
    limits: {
      transactionMs: time('max-transaction-age', limits.transactionMs),
      lagBytes: mebibytes('max-replication-lag', limits.lagBytes),
      freeBytes: mebibytes('min-free-disk', limits.freeBytes),
    },
    leaseMs: time('lease-timeout', DEFAULTS.leaseMs),
    confirmed: confirmation(runner, command, database),
    flyway: optional(runner, 'flyway-version') ?? DEFAULTS.flyway,
    squawk: optional(runner, 'squawk-version') ?? DEFAULTS.squawk,
  };
  if (request.dryRun && !needsScripts(command)) {
    throw new InputError('dry-run', `is true: a ${command} has no dry run.`);
  }
  if (request.rehearse && command !== 'migrate') {
    throw new InputError('rehearse', `is true: only migrate can be rehearsed, not ${command}.`);
  }
  const privateKey = privateKeyInput(runner);
  const outputs = required(
    runner,
    'terraform-outputs',
    'give the file of `terraform output -json`.',
  );
  return { request, privateKey, inventory: inventoryFrom(outputs) };
}

function confirmation(runner: Runner, command: Command, database: string): string {
  if (command === 'repair') return optional(runner, 'repair-confirm') ?? '';
  if (command !== 'restore') return '';
  const said = optional(runner, 'restore-confirm') ?? '';
  if (said === database) return said;
  throw new InputError(
    'restore-confirm',
    `must be '${database}': a restore puts back what the database was, and what was posted since ` +
      'is only in the copy that is set aside.',
  );
}

function backupToUse(runner: Runner, command: Command): Pick<Request, 'backupPath' | 'identity'> {
  const identity = optionalSecret(runner, 'age-identity');
  if (identity !== undefined && !identity.includes('AGE-SECRET-KEY-1')) {
    throw new InputError('age-identity', 'is no identity of age (AGE-SECRET-KEY-1…).');
  }
  if (command !== 'restore') return { backupPath: absolute(runner, 'backup-path'), identity };
  const wanted = required(runner, 'backup-path', 'say which backup to restore.');
  if (!isAtRemote(wanted)) return { backupPath: absolute(runner, 'backup-path'), identity };
  if (identity !== undefined) return { backupPath: wanted, identity };
  throw new InputError(
    'age-identity',
    `is missing: '${wanted}' lies encrypted at the remote, so give an identity that opens it, or ` +
      'the path of a dump on the database server.',
  );
}

function restoredHistory(
  runner: Runner,
  command: Command,
  database: string,
): RestoredHistory | undefined {
  const path = optional(runner, 'drill-report');
  if (path === undefined) return undefined;
  if (command !== 'validate') {
    throw new InputError('drill-report', `is given: only validate reads it, not ${command}.`);
  }
  if (!existsSync(path))
    throw new InputError('drill-report', `is '${path}', which does not exist.`);
  const found = historyIn(readFileSync(path, 'utf8'), database);
  if (typeof found !== 'string') return found;
  throw new InputError('drill-report', `is '${path}', which ${found}.`);
}

/** A path on the database server. */
function absolute(runner: Runner, name: string): string | undefined {
  const path = optional(runner, name);
  if (path === undefined || /^(?:\/[\w.-]+)+$/.test(path)) return path;
  throw new InputError(name, `is '${path}': give an absolute path on the database server.`);
}

function scriptSource(runner: Runner): ScriptSource {
  const reference = optional(runner, 'image');
  const path = optional(runner, 'locations');
  const username = optional(runner, 'username');
  const password = optionalSecret(runner, 'password');
  const login = username && password ? { username, password } : undefined;
  if (reference === 'current') return { from: 'current', login };
  if (reference !== undefined) {
    if (!/@sha256:[0-9a-f]{64}$/.test(reference)) {
      throw new InputError(
        'image',
        `is '${reference}': give it by digest (name@sha256:…), or \`current\`.`,
      );
    }
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

function port(runner: Runner): number {
  const value = integer(runner, 'port', DEFAULTS.port, { min: 1, max: 65535 });
  if (value === 6432) {
    throw new InputError(
      'port',
      "is PgBouncer's: Flyway's locks need a session of their own, so give PostgreSQL's (5432).",
    );
  }
  return value;
}
