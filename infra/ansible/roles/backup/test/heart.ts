import { setTimeout as pause } from 'node:timers/promises';
import type { World } from './world.ts';

/** A moment, and the last beat that was committed until then. */
export interface Moment {
  /** With microseconds, in UTC. */
  time: string;
  beat: string;
}

const FORMAT = 'YYYY-MM-DD HH24:MI:SS.US+00';

/**
 * Writes so many beats, some milliseconds apart, archives them, and picks random moments among them.
 * What is right then is known from the commits' own times.
 */
export async function beats(world: World, wanted: number, count: number): Promise<Moment[]> {
  // The second in which the base backup ended is not for a recovery to choose.
  await pause(1500);
  world.sql(
    'postgres',
    `${'INSERT INTO compta_heartbeat DEFAULT VALUES; SELECT pg_sleep(0.03 + random() * 0.05);\n'.repeat(count)}`,
  );
  const answer = world.sql(
    'postgres',
    `SELECT json_build_array(to_char(beat AT TIME ZONE 'UTC', '${FORMAT}'),
       to_char(pg_xact_commit_timestamp(xmin) AT TIME ZONE 'UTC', '${FORMAT}')) FROM compta_heartbeat ORDER BY beat`,
  );
  const all = answer.split('\n').map((line) => JSON.parse(line) as [string, string]);
  world.sql('postgres', 'SELECT pg_switch_wal()');
  await archived(world);
  return Array.from({ length: wanted }, () => {
    // Between two commits, so that the later one is what recovery stops before.
    const index = all.length - count + Math.floor(Math.random() * (count - 1));
    const [from, to] = [all[index], all[index + 1]].map((row) => micros(row?.[1] ?? ''));
    const time = Number(from) + Math.floor(Math.random() * (Number(to) - Number(from)));
    return { time: text(time), beat: all[index]?.[0] ?? '' };
  });
}

/** Waits until every WAL file that is complete is archived. */
export async function archived(world: World): Promise<void> {
  const waiting = "SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'";
  for (let tries = 0; world.sql('postgres', waiting) !== '0'; tries += 1) {
    if (tries > 600) throw new Error('WAL was not archived within two minutes');
    await pause(200);
  }
}

function micros(time: string): number {
  const [seconds, fraction] = time.replace('+00', '').split('.');
  return Date.parse(`${seconds}Z`) * 1000 + Number(fraction);
}

function text(time: number): string {
  const seconds = new Date(Math.floor(time / 1_000_000) * 1000).toISOString().slice(0, 19);
  return `${seconds.replace('T', ' ')}.${String(time % 1_000_000).padStart(6, '0')}+00`;
}
