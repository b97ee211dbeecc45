import type { Limits } from './checks.ts';
import type { RestoredHistory } from './drill.ts';
import type { StatementLimits } from './flyway.ts';
import type { ScriptSource } from './scripts.ts';

export const COMMANDS = ['migrate', 'validate', 'info', 'repair', 'backup', 'restore'] as const;
export type Command = (typeof COMMANDS)[number];

export const needsScripts = (command: Command): boolean =>
  command !== 'backup' && command !== 'restore';

/** What is asked for, whichever door it came through. */
export interface Request {
  command: Command;
  /** undefined for the commands that need none. */
  scripts: ScriptSource | undefined;
  database: string;
  owner: string;
  /** Whose releases the schema must suit. */
  service: string;
  port: number;
  dryRun: boolean;
  rehearse: boolean;
  backup: boolean;
  /**
   * One that was made within the hour, instead of a new one; for `restore` the one to restore, which
   * may be at the remote (`isAtRemote`).
   */
  backupPath: string | undefined;
  /** `validate`: of a restored backup, held to the scripts instead of the database's own history. */
  history?: RestoredHistory | undefined;
  /** age identity that opens a backup of the remote; a secret. */
  identity: string | undefined;
  backupDirectory: string;
  statements: StatementLimits;
  limits: Limits;
  /** Milliseconds to wait for the environment's lease. */
  leaseMs: number;
  /** `repair`: what may be corrected; `restore`: the database's name once more. */
  confirmed: string;
  flyway: string;
  squawk: string;
}

const [SECOND, MINUTE, MEBIBYTE] = [1000, 60_000, 1024 ** 2];

/** What a request has when nothing else is said; as in action.yml. */
export const DEFAULTS = {
  port: 5432,
  backupDirectory: '/mnt/postgres_data/backups',
  statements: { lockMs: 5 * SECOND, statementMs: 15 * MINUTE },
  limits: { transactionMs: MINUTE, lagBytes: 64 * MEBIBYTE, freeBytes: 1024 * MEBIBYTE },
  leaseMs: 15 * MINUTE,
  flyway: '11.8.2',
  squawk: '2.66.0',
} as const;

/** `registry/compta/auth-service@sha256:…` → `auth-service`; `compta_auth` → `auth-service`. */
export function serviceOf(scripts: ScriptSource | undefined, database: string): string {
  if (scripts?.from === 'image') {
    return scripts.reference.replace(/@.*$/, '').split('/').at(-1) ?? '';
  }
  return `${database.replace(/^compta_/, '').replaceAll('_', '-')}-service`;
}
