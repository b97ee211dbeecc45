import { z } from 'zod';
import type { Database } from './database.ts';
import type { Flyway } from './flyway.ts';
import { cloneOf } from './rehearsal.ts';

const entry = z.object({
  installed_rank: z.number(),
  version: z.string().nullable(),
  description: z.string(),
  type: z.string(),
  script: z.string(),
  checksum: z.number().nullable(),
  success: z.boolean(),
});
const drill = z.object({
  databases: z.array(
    z.object({ database: z.string(), name: z.string(), history: z.array(entry).nullable() }),
  ),
});

/** Flyway's history in a backup, read from the copy that a restore drill restored. */
export interface RestoredHistory {
  /** Name of the backup. */
  backup: string;
  entries: z.infer<typeof entry>[];
}

/**
 * @param report text of the report that `playbooks/restore-drill.yml` writes.
 * @returns what is wrong with it, when it has no history of this database.
 */
export function historyIn(report: string, database: string): RestoredHistory | string {
  const found = drill.safeParse(parsed(report));
  if (!found.success) return 'is no report of a restore drill';
  const { databases } = found.data;
  const restored = databases.find((each) => each.database === database);
  if (restored?.history) return { backup: restored.name, entries: restored.history };
  const others = databases.filter(({ history }) => history).map((each) => each.database);
  return `has no history of ${database}, only of ${others.join(', ') || 'no database'}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** As Flyway makes it. */
const HISTORY = `CREATE TABLE flyway_schema_history (
  installed_rank int PRIMARY KEY, version varchar(50), description varchar(200) NOT NULL,
  type varchar(20) NOT NULL, script varchar(1000) NOT NULL, checksum int,
  installed_by varchar(100) NOT NULL, installed_on timestamp NOT NULL DEFAULT now(),
  execution_time int NOT NULL, success boolean NOT NULL);`;

/**
 * Lays a restored history into a database of its own on the same server, for as long as the work
 * takes. No row of the books is in it, and the real database is not touched.
 */
export async function withHistory<T>(
  database: Database,
  flyway: Flyway,
  { entries }: RestoredHistory,
  work: (flyway: Flyway) => Promise<T>,
): Promise<T> {
  const copy = cloneOf(flyway.database);
  const drop = () => database.query('postgres', `DROP DATABASE IF EXISTS "${copy}" WITH (FORCE);`);
  await drop();
  try {
    await database.query(
      'postgres',
      `CREATE DATABASE "${copy}" OWNER "${flyway.owner}"; REVOKE ALL ON DATABASE "${copy}" FROM PUBLIC;`,
    );
    await database.query(
      copy,
      `SET ROLE "${flyway.owner}"; ${HISTORY}
       INSERT INTO flyway_schema_history
       SELECT installed_rank, version, description, type, script, checksum, '', now(), 0, success
       FROM json_populate_recordset(NULL::flyway_schema_history, '${quoted(entries)}');`,
    );
    return await work({ ...flyway, database: copy });
  } finally {
    await drop();
  }
}

const quoted = (value: unknown) => JSON.stringify(value).replaceAll("'", "''");
