import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { CommandFailed, type RunResult, run } from '../process/run.ts';
import type { Login } from './login.ts';
import { MigrationRefused } from './refused.ts';

/**
 * Flyway's command line, decided on its JSON: `validate` exits 0 on a mismatch, and a failure
 * has another shape than a success (measured with 11.8.2; flyway/flyway#3302).
 */
export interface Flyway {
  program: string;
  /** An empty folder: it takes settings from files of where it starts, and of the user's home. */
  home: string;
  /** Folder with the scripts. */
  scripts: string;
  database: string;
  owner: string;
  login: Login;
  /** The tunnel's end on this machine. */
  port: number;
  limits: StatementLimits;
  env: NodeJS.ProcessEnv;
  cancelled: AbortSignal;
}

/** Milliseconds; outside the scripts, so that no script can forget them. */
export interface StatementLimits {
  lockMs: number;
  statementMs: number;
}

const script = z.object({
  category: z.string(),
  version: z.string().nullish(),
  description: z.string(),
  state: z.string(),
  filepath: z.string().nullish(),
  executionTime: z.number().nullish(),
});
export type Script = z.infer<typeof script>;

const info = z.object({ schemaVersion: z.string().nullish(), migrations: z.array(script) });
const validation = z.object({
  validationSuccessful: z.boolean(),
  invalidMigrations: z.array(
    z.object({
      version: z.string().nullish(),
      description: z.string(),
      errorDetails: z.object({ errorCode: z.string(), errorMessage: z.string() }),
    }),
  ),
});
const look = z.object({ individualResults: z.tuple([info, validation]) });
const migration = z.object({
  success: z.literal(true),
  targetSchemaVersion: z.string().nullish(),
  migrations: z.array(
    z.object({ version: z.string(), description: z.string(), executionTime: z.number() }),
  ),
});
export type Migration = z.infer<typeof migration>;
const repair = z.object({ repairActions: z.array(z.string()) });
const failure = z.object({
  error: z.object({
    errorCode: z.string(),
    message: z.string(),
    path: z.string().nullish(),
    lineNumber: z.number().nullish(),
  }),
});

/** Flyway said no; `sqlState` is dug out of the message, as it stands nowhere else. */
export class FlywayRefused extends Error {
  override readonly name = 'FlywayRefused';
  readonly sqlState: string | undefined;
  constructor(error: z.infer<typeof failure>['error']) {
    const at = error.path
      ? ` (${error.path}${error.lineNumber ? `:${error.lineNumber}` : ''})`
      : '';
    const sqlState = /SQL State\s*:\s*(\w{5})/.exec(error.message)?.[1];
    super(`Flyway: ${error.errorCode}${at}: ${withoutValues(error.message.trim(), sqlState)}`);
    this.sqlState = sqlState;
  }
}

/** Of class 22 are errors that quote a row's value: `invalid input syntax for type integer: "Amira"`. */
function withoutValues(message: string, sqlState = ''): string {
  if (!sqlState.startsWith('22')) return message;
  const end = message.lastIndexOf('\nLocation');
  const [server, ours] = end < 0 ? [message, ''] : [message.slice(0, end), message.slice(end)];
  return server.replace(/"[\s\S]*"/, '"…"') + ours;
}

/** Flyway's history held against the scripts. */
export interface State {
  /** Version of the schema; `none` before the first script. */
  version: string;
  pending: Script[];
  /** Below the schema's version and never applied: Flyway would pass them over without a word. */
  passedOver: Script[];
  applied: Script[];
  /** What is wrong with scripts that were applied already; pending ones are not wrong. */
  wrong: Mismatch[];
}

/** A script that was applied, or failed, and is no longer what the history says. */
export interface Mismatch {
  /** '' for a repeatable script. */
  version: string;
  description: string;
  code: string;
  message: string;
}

/** What Flyway calls invalid and a migration mends: pending scripts, and repeatable ones that changed. */
const STILL_TO_RUN = /_NOT_APPLIED$|^OUTDATED_REPEATABLE_MIGRATION$/;

/** `info` and `validate`, asked of one virtual machine. */
export async function readState(flyway: Flyway): Promise<State> {
  const { individualResults } = await ask(flyway, ['info', 'validate'], look);
  const [{ schemaVersion, migrations }, { invalidMigrations }] = individualResults;
  const inState = (...states: string[]) => migrations.filter(({ state }) => states.includes(state));
  const applied = inState('Success', 'Out of Order');
  // Flyway counts a script that failed outside a transaction as the schema's version.
  const version =
    inState('Failed').length > 0
      ? applied.findLast((script) => script.version)?.version
      : schemaVersion;
  return {
    version: version ?? 'none',
    pending: inState('Pending'),
    passedOver: inState('Ignored'),
    applied,
    wrong: invalidMigrations
      .filter(({ errorDetails }) => !STILL_TO_RUN.test(errorDetails.errorCode))
      .map(({ version, description, errorDetails }) => ({
        version: version ?? '',
        description,
        code: errorDetails.errorCode,
        message: errorDetails.errorMessage.trim(),
      })),
  };
}

/** SQL state of a lock that did not come within lock_timeout. */
export const LOCK_NOT_AVAILABLE = '55P03';

export interface MigrateOptions {
  /** Scripts that PostgreSQL refuses inside a transaction. */
  outside: boolean;
  /** Told before each new try. */
  onRetry: (line: string) => void | Promise<void>;
}

/**
 * Migrates; a lock that was not to be had is tried again after 2, 4 and 8 seconds. Outside a
 * transaction there is only one try, as the first may have left something.
 */
export async function migrate(
  flyway: Flyway,
  { outside, onRetry }: MigrateOptions,
): Promise<Migration> {
  const settings = outside ? { FLYWAY_MIXED: 'true' } : {};
  for (let seconds = 2; ; seconds *= 2) {
    try {
      return await ask(flyway, ['migrate'], migration, settings);
    } catch (error) {
      const locked = error instanceof FlywayRefused && error.sqlState === LOCK_NOT_AVAILABLE;
      if (!locked || outside || seconds > 8 || flyway.cancelled.aborted) throw error;
      await onRetry(`A lock was not to be had: trying again in ${seconds} s.`);
      await sleep(seconds * 1000, undefined, { signal: flyway.cancelled });
    }
  }
}

export async function repairHistory(flyway: Flyway): Promise<string[]> {
  return (await ask(flyway, ['repair'], repair)).repairActions;
}

/** What a launcher ends with that finds no Java. */
const NOT_FOUND = 127;

async function ask<T>(
  flyway: Flyway,
  commands: readonly string[],
  shape: z.ZodType<T>,
  more: NodeJS.ProcessEnv = {},
): Promise<T> {
  const argv = [flyway.program, '-outputType=json', '-skipCheckForUpdate', ...commands];
  const result = await run(argv, {
    cwd: flyway.home,
    env: { ...withoutSettings(flyway.env), ...settings(flyway), ...more },
    signal: flyway.cancelled,
    allowedExitCodes: [0, 1, NOT_FOUND],
  });
  if (result.exitCode === NOT_FOUND) {
    throw new MigrationRefused(
      'Flyway needs Java 17 or later, and this machine has none: install it, or set JAVA_HOME to ' +
        `where it is. Nothing was changed. (${result.stderr.trim()})`,
    );
  }
  const answer = parsed(result, flyway.program);
  const refused = failure.safeParse(answer);
  if (refused.success) throw new FlywayRefused(refused.data.error);
  return shape.parse(answer);
}

/** What Flyway would take for settings, besides ours. */
function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !/^(?:flyway|environments)_/i.test(name)),
  );
}

/**
 * By environment, so that no password is in argv; the limits ride on the connection itself. Details
 * of errors stay away, as they show rows: `Key (amount)=(1) is duplicated`.
 */
function settings({
  home,
  scripts,
  database,
  owner,
  login,
  port,
  limits,
}: Flyway): NodeJS.ProcessEnv {
  const options = [
    `-c role=${owner}`,
    `-c lock_timeout=${limits.lockMs}`,
    `-c statement_timeout=${limits.statementMs}`,
    // A statement whose runner is gone stops, instead of holding its locks to the end.
    '-c client_connection_check_interval=2s',
  ].join(' ');
  return {
    FLYWAY_URL: `jdbc:postgresql://127.0.0.1:${port}/${database}?options=${encodeURIComponent(options)}&logServerErrorDetail=false`,
    FLYWAY_USER: login.user,
    FLYWAY_PASSWORD: login.password,
    FLYWAY_LOCATIONS: `filesystem:${scripts}`,
    FLYWAY_CONNECT_RETRIES: '3',
    // `V5_label.sql`, with one underscore, is passed over without a word by default.
    FLYWAY_VALIDATE_MIGRATION_NAMING: 'true',
    // Its own default holds the lock and writes the history in a second session, idle in a transaction
    // that the server ends after a minute, and that commits after the script: cut in between, the
    // script would run again. With a lock of the session, both are one transaction.
    FLYWAY_POSTGRESQL_TRANSACTIONAL_LOCK: 'false',
    REDGATE_DISABLE_TELEMETRY: 'true',
    // It lives for seconds: the thorough compiler and collector would not pay.
    JDK_JAVA_OPTIONS: `-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Duser.home="${home}"`,
  };
}

function parsed(result: RunResult, program: string): unknown {
  try {
    return JSON.parse(result.stdout);
  } catch (cause) {
    throw new CommandFailed(program, 'printed no JSON', result, cause);
  }
}
