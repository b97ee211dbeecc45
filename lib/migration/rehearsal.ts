import { copyFileSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Connection } from '../ssh/connection.ts';
import { invalidIndexes } from './aftermath.ts';
import { type Backup, restoreBackup } from './backup.ts';
import type { Database } from './database.ts';
import { type Flyway, migrate, readState } from './flyway.ts';
import { type Lock, type Look, locksOf } from './locks.ts';
import { folderWithout, type Pending, readPending } from './pending.ts';
import { MigrationRefused } from './refused.ts';

/** What each script did to a copy of the real data. */
export interface Rehearsal {
  backup: string;
  restoreSeconds: number;
  scripts: { file: string; milliseconds: number; locks: Lock[] }[];
}

/** The name that pg_hba.conf lets a migration's login into, besides the database itself. */
export const cloneOf = (database: string): string => `${database}_rehearsal`;

export interface Stage {
  flyway: Flyway;
  database: Database;
  server: Pick<Connection, 'exec'>;
  temp: string;
  say: (line: string) => void;
}

/**
 * Restores a backup beside the database, on its own server, and runs the scripts on it, one by one.
 * The clone is gone afterwards, whatever happened.
 *
 * @throws MigrationRefused when a script fails there: the database itself was not touched.
 */
export async function rehearse(stage: Stage, backup: Backup): Promise<Rehearsal> {
  const { flyway, database, server, say } = stage;
  const clone = cloneOf(flyway.database);
  const drop = () => database.query('postgres', `DROP DATABASE IF EXISTS "${clone}" WITH (FORCE);`);
  await drop();
  try {
    say(`Rehearsing on ${clone}, from ${backup.path}`);
    const { seconds } = await restoreBackup(server, backup.path, clone, {}, say);
    await database.query(
      'postgres',
      `ALTER DATABASE "${clone}" OWNER TO "${flyway.owner}"; REVOKE ALL ON DATABASE "${clone}" FROM PUBLIC;`,
    );
    const scripts = await perform({ ...stage, flyway: { ...flyway, database: clone } });
    const broken = await invalidIndexes(database, clone);
    if (broken.length > 0) throw new MigrationRefused(`It left ${broken.join(', ')} invalid.`);
    return { backup: backup.path, restoreSeconds: seconds, scripts };
  } catch (cause) {
    if (flyway.cancelled.aborted) throw cause;
    throw new MigrationRefused(
      `The rehearsal on a copy of ${flyway.database} failed, and ${flyway.database} itself was ` +
        'not touched.',
      { cause },
    );
  } finally {
    await drop();
  }
}

/** In the script's own transaction, at its end: every lock that it took is still held. */
const NOTE = 'afterEachMigrate.sql';
/** Ours in the clone: what the scripts held, and which tables there were before the first. */
const NOTES = 'compta_rehearsal.note';
const KNOWN = 'compta_rehearsal.known';
const HELD = (pid: string) => `SELECT coalesce(json_agg(json_build_object(
    'table', c.oid::regclass::text, 'mode', l.mode)), '[]')
  FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation
  WHERE l.pid ${pid} AND l.granted AND c.relkind IN ('r', 'p', 'm')
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND c.oid IN (SELECT oid FROM ${KNOWN}) AND c.relname <> 'flyway_schema_history'`;

const noteSchema = z.object({
  started: z.number(),
  at: z.number(),
  held: z.array(z.object({ table: z.string(), mode: z.string() })),
});

async function perform(stage: Stage): Promise<Rehearsal['scripts']> {
  const { flyway, database, temp } = stage;
  const { pending: found } = await readState(flyway);
  const pending = readPending(found);
  await database.query(
    flyway.database,
    `CREATE SCHEMA compta_rehearsal;
     CREATE TABLE ${KNOWN} AS SELECT oid FROM pg_class
       WHERE relnamespace::regnamespace::text !~ '^(pg_|information_schema)';
     CREATE TABLE ${NOTES} (note json);
     GRANT USAGE ON SCHEMA compta_rehearsal TO "${flyway.owner}";
     GRANT SELECT ON ${KNOWN} TO "${flyway.owner}";
     GRANT INSERT ON ${NOTES} TO "${flyway.owner}";`,
  );
  const done: Rehearsal['scripts'] = [];
  for (const [index, script] of pending.entries()) {
    const rest = folderWithout(flyway.scripts, pending.slice(index + 1), temp);
    done.push(await performOne(stage, script, withNote(rest, script, temp)));
  }
  return done;
}

function withNote(folder: string, { outside }: Pending, temp: string): string {
  if (outside) return folder;
  const target = mkdtempSync(join(temp, 'rehearsal-'));
  for (const name of readdirSync(folder)) copyFileSync(join(folder, name), join(target, name));
  writeFileSync(
    join(target, NOTE),
    `INSERT INTO ${NOTES} SELECT json_build_object(
       'started', extract(epoch FROM now()) * 1000,
       'at', extract(epoch FROM clock_timestamp()) * 1000, 'held', (${HELD('= pg_backend_pid()')}));`,
  );
  return target;
}

async function performOne(
  { flyway, database, say }: Stage,
  script: Pending,
  folder: string,
): Promise<Rehearsal['scripts'][number]> {
  const watcher = await watch(database, flyway);
  let time: number;
  try {
    const { migrations } = await migrate(
      { ...flyway, scripts: folder },
      { outside: script.outside, onRetry: say },
    );
    time = migrations.reduce((sum, { executionTime }) => sum + executionTime, 0);
  } finally {
    await watcher.stop();
  }
  const notes = await database.query(
    flyway.database,
    `WITH taken AS (DELETE FROM ${NOTES} RETURNING note) SELECT note FROM taken;`,
  );
  const note = notes[0]?.[0];
  const final = note === undefined ? undefined : noteSchema.parse(JSON.parse(note));
  const milliseconds = final === undefined ? time : final.at - final.started;
  return { file: script.file, milliseconds, locks: locksOf(watcher.looks, final) };
}

/** Looks at the locks of the run's login ten times a second. */
async function watch(
  database: Database,
  { database: name, login }: Flyway,
): Promise<{ looks: Look[]; stop: () => Promise<void> }> {
  const looks: Look[] = [];
  const session = await database.session(name, ([at = '', held = '[]']) =>
    looks.push({ at: Number(at), held: JSON.parse(held) as Look['held'] }),
  );
  const pids = `IN (SELECT pid FROM pg_stat_activity WHERE usename = '${login.user}')`;
  const look = () =>
    session.say(
      `SELECT extract(epoch FROM clock_timestamp()) * 1000, (${HELD(pids)});\n`.replaceAll(
        /\s*\n\s*(?=\S)/g,
        ' ',
      ),
    );
  const timer = setInterval(look, 100);
  return {
    looks,
    async stop() {
      clearInterval(timer);
      await session.end();
    },
  };
}
