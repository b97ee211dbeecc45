import type { Conversation } from '../ssh/connection.ts';
import type { Database } from './database.ts';
import { MigrationRefused } from './refused.ts';

/**
 * The one turn to change a database: a session that holds an advisory lock in `postgres` (where a
 * restore that replaces the database cannot end it). It ends with the connection, so a runner that
 * is killed leaves nothing.
 *
 * @param who as the next one who asks will read it.
 * @throws MigrationRefused naming who has the turn.
 */
export async function takeTurn(
  database: Database,
  name: string,
  who: string,
): Promise<Conversation> {
  let answer: (granted: boolean) => void = () => {};
  const granted = new Promise<boolean>((resolve) => {
    answer = resolve;
  });
  const session = await database.session('postgres', ([value]) => answer(value === 't'));
  session.ended.addEventListener('abort', () => answer(false));
  session.say(
    `SET application_name = '${applicationName(who)}'; SET idle_session_timeout = 0;
     SELECT pg_try_advisory_lock(${key(name)});\n`,
  );
  if (await granted) return session;
  const over = session.ended.aborted;
  await session.end();
  if (over) throw new MigrationRefused('The database server ended the session with the lock.');
  const [holder] = await database.query(
    'postgres',
    `SELECT application_name, to_char(backend_start AT TIME ZONE 'UTC', 'HH24:MI:SS')
     FROM pg_locks JOIN pg_stat_activity USING (pid)
     WHERE locktype = 'advisory' AND granted
       AND (classid::bigint << 32) | objid::bigint = ${key(name)};`,
  );
  throw new MigrationRefused(
    `Another run is changing ${name}: ${holder?.[0] ?? 'it has just ended'}` +
      `${holder?.[1] ? `, since ${holder[1]} UTC` : ''}. Nothing was changed; run this again ` +
      'when that one is done.',
  );
}

const key = (name: string) => `hashtextextended('compta migration of ${name}', 0)`;

/** PostgreSQL keeps 63 bytes of printable ASCII. */
function applicationName(who: string): string {
  return `migration by ${who}`.replaceAll(/[^ -&(-~]/g, '').slice(0, 63);
}
