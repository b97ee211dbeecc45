import { z } from 'zod';
import type { Connection } from '../ssh/connection.ts';
import type { Database } from './database.ts';
import { MigrationRefused } from './refused.ts';

/** What must hold before a schema is changed. */
export interface Limits {
  /** A transaction older than this would make the migration wait, and everybody behind it. */
  transactionMs: number;
  /** WAL that a standby may be behind. */
  lagBytes: number;
  /** Disk that must be free besides the size of the database, which a rewrite may need again. */
  freeBytes: number;
}

const factsSchema = z.object({
  standby: z.boolean(),
  transactions: z.array(
    z.object({
      pid: z.number(),
      user: z.string().nullable(),
      application: z.string().nullable(),
      state: z.string().nullable(),
      seconds: z.number(),
    }),
  ),
  prepared: z.array(z.string()),
  standbys: z.array(z.object({ name: z.string(), bytes: z.number() })),
  size: z.number(),
  directory: z.string(),
});
export type Facts = z.infer<typeof factsSchema> & { free: number };

export interface Check {
  what: string;
  found: string;
  limit: string;
  /** What to do when it does not hold. */
  problem?: string;
}

/** Never the text of a statement: it may hold what is in the books. */
const question = ({ transactionMs }: Pick<Limits, 'transactionMs'>) => `SELECT json_build_object(
  'standby', pg_is_in_recovery(),
  'transactions', (SELECT coalesce(json_agg(json_build_object('pid', pid, 'user', usename,
      'application', application_name, 'state', state,
      'seconds', extract(epoch FROM clock_timestamp() - xact_start)::int) ORDER BY xact_start), '[]')
    FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'
      AND pid <> pg_backend_pid()
      AND xact_start < clock_timestamp() - make_interval(secs => ${transactionMs / 1000})),
  'prepared', (SELECT coalesce(json_agg(gid), '[]') FROM pg_prepared_xacts
    WHERE database = current_database()
      AND prepared < clock_timestamp() - make_interval(secs => ${transactionMs / 1000})),
  'standbys', CASE WHEN pg_is_in_recovery() THEN '[]' ELSE
    (SELECT coalesce(json_agg(json_build_object('name', application_name,
        'bytes', pg_wal_lsn_diff(pg_current_wal_lsn(), coalesce(replay_lsn, flush_lsn, sent_lsn)))), '[]')
     FROM pg_stat_replication WHERE state IN ('streaming', 'catchup')) END,
  'size', pg_database_size(current_database()),
  'directory', current_setting('data_directory'));`;

/** Asks the database and its server. */
export async function readFacts(
  database: Database,
  server: Pick<Connection, 'exec'>,
  name: string,
  limits: Pick<Limits, 'transactionMs'>,
): Promise<Facts> {
  const facts = factsSchema.parse(await database.json(name, question(limits)));
  return { ...facts, free: await freeBytes(server, facts.directory) };
}

/** Bytes free where a folder of the database server lies. */
async function freeBytes(server: Pick<Connection, 'exec'>, folder: string): Promise<number> {
  const { stdout } = await server.exec([
    ...['sudo', '-n', 'df', '--output=avail', '--block-size=1'],
    folder,
  ]);
  return Number(stdout.trim().split('\n').at(-1));
}

/** Holds the facts to the limits. */
export function judge(facts: Facts, limits: Limits): Check[] {
  const oldest = facts.transactions.map(
    ({ pid, user, application, state, seconds }) =>
      `pid ${pid} (${user}${application ? `, ${application}` : ''}, ${state}, ${seconds} s)`,
  );
  const furthest = Math.max(0, ...facts.standbys.map(({ bytes }) => bytes));
  const needed = facts.size + limits.freeBytes;
  return [
    {
      what: 'server',
      found: facts.standby ? 'a standby' : 'the primary',
      limit: 'the primary',
      ...(facts.standby && {
        problem: 'it is a standby, which cannot be written: give the primary.',
      }),
    },
    {
      what: 'long transactions',
      found: [...oldest, ...facts.prepared.map((id) => `prepared "${id}"`)].join(', ') || 'none',
      limit: `${limits.transactionMs / 1000} s`,
      ...(oldest.length + facts.prepared.length > 0 && {
        problem:
          `transactions are open for longer than ${limits.transactionMs / 1000} s: ` +
          `${[...oldest, ...facts.prepared].join(', ')}. The migration would wait for them, and ` +
          'everybody else for the migration. Let them end, or end one with ' +
          `SELECT pg_terminate_backend(${facts.transactions[0]?.pid ?? '<pid>'}).`,
      }),
    },
    {
      what: 'replication lag',
      found: facts.standbys.length === 0 ? 'no standby' : megabytes(furthest),
      limit: megabytes(limits.lagBytes),
      ...(furthest > limits.lagBytes && {
        problem: `a standby is ${megabytes(furthest)} behind: wait until it has caught up.`,
      }),
    },
    {
      what: 'free disk',
      found: megabytes(facts.free),
      limit: megabytes(needed),
      ...(facts.free < needed && {
        problem:
          `${facts.directory} has ${megabytes(facts.free)} free, and a script that rewrites ` +
          `every table may need ${megabytes(needed)}: make room first.`,
      }),
    },
  ];
}

/** @throws MigrationRefused with every check that does not hold. */
export function refuseUnlessAllHold(checks: readonly Check[]): void {
  const problems = checks.flatMap(({ problem }) => problem ?? []);
  if (problems.length > 0) {
    throw new MigrationRefused(`Nothing was changed, as ${problems.join('\nAnd ')}`);
  }
}

export interface RestorePoint {
  name: string;
  lsn: string;
}

/** A named place in the WAL that a point-in-time recovery can stop at. */
export async function createRestorePoint(
  database: Database,
  name: string,
  version: string,
): Promise<RestorePoint> {
  const stamp = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const point = `${stamp}_before_${name}_${version.replaceAll(/[^\w.]/g, '_')}`.slice(0, 63);
  const [row] = await database.query('postgres', `SELECT pg_create_restore_point('${point}');`);
  return { name: point, lsn: row?.[0] ?? '' };
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1024 ** 2)} MiB`;
}
