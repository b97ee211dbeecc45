import assert from 'node:assert/strict';
import { rmSync, statfsSync } from 'node:fs';
import { beats } from '../../infra/ansible/roles/backup/test/heart.ts';
import { run } from '../../lib/process/run.ts';
import { atLeast, atMost } from '../measurement.ts';
import type { Scenario } from '../scenarios/scenario.ts';
import { makeLedger } from './ledger.ts';
import { onServer, runScript, type Server, tenths } from './server.ts';

/** Nothing archives WAL meanwhile: it would have its share of the processors, now more and now less. */
const SETTINGS = `shared_buffers = 1GB
maintenance_work_mem = 512MB
max_wal_size = 4GB
archive_mode = off`;

/** Journal lines; a tenth of them is measured first, for the growth. */
const LINES = Number(process.env.COMPTA_BENCH_LINES ?? 20_000_000);
/** Of disk for each: the database, its WAL, its backups, and the copy that is verified with WAL of its own. */
const BYTES_A_LINE = 800;

export const backups: Scenario = {
  shows: `backup, verification and restore of ${LINES.toLocaleString('en')} journal lines, against bare pg_dump`,
  run: (_, print) =>
    onServer(SETTINGS, print, async (server) => {
      const { bavail, bsize } = statfsSync(server.world.folder);
      const free = bavail * bsize;
      assert.ok(
        free >= LINES * BYTES_A_LINE,
        `${server.world.folder} has ${gigabytes(free)} GB free of ${gigabytes(LINES * BYTES_A_LINE)} that are needed`,
      );
      const small = await measure(server, LINES / 10);
      const large = await measure(server, LINES);
      // What bare pg_dump grows by is the machine's doing: its cache, its disk.
      const growth = (limit: number, of: 'backup_s' | 'verify_s' | 'restore_s') =>
        atMost(limit, ratio(large[of], small[of] * 10), 'times', {
          'bare pg_dump': ratio(large.bare_s, small.bare_s * 10),
        });
      // Flat, though rclone and age may have twice what they need until their collector comes.
      const peak = (of: keyof typeof large.peak_MiB) =>
        atMost(2, ratio(large.peak_MiB[of], small.peak_MiB[of]), 'times');
      return {
        small,
        large,
        size: atLeast(2, large.database_GB, 'GB'),
        journal: atLeast(20_000_000, large.lines, 'lines'),
        times_bare: atMost(1.3, ratio(large.backup_s, large.bare_s), 'times'),
        times_bare_side_by_side: ratio(large.backup_s, large.bare_side_by_side_s),
        growth_against_linear: {
          backup: growth(1.3, 'backup_s'),
          // Indexes are sorted again, which is no linear work.
          verify: growth(1.5, 'verify_s'),
          restore: growth(1.5, 'restore_s'),
        },
        peak_against_small: {
          backup: peak('backup'),
          verify: peak('verify'),
          restore: peak('restore'),
        },
      };
    }),
};

async function measure(server: Server, lines: number) {
  const { world, print } = server;
  print(`making ${lines.toLocaleString('en')} journal lines`);
  const bytes = await makeLedger(server, lines);
  print(`${gigabytes(bytes)} GB; bare pg_dump, custom format and then SQL`);
  const bare = await bareDumps(server, { sideBySide: false });
  print(`${bare} s; both side by side`);
  const bareSideBySide = await bareDumps(server, { sideBySide: true });
  print(`${bareSideBySide} s; backup`);
  const backup = await runScript(server, 'compta-backup', ['ledger', '--listing']);
  const { took } = backup.json as { took: Record<'contents', number> };
  print(`${backup.seconds} s; verification`);
  const verified = await runScript(server, 'compta-verify-backup', ['ledger']);
  print(`${verified.seconds} s; restore`);
  const restored = await runScript(server, 'compta-restore', [
    ...['latest', 'ledger', '--replace=ledger'],
  ]);
  world.sql('postgres', `DROP DATABASE ${restored.json.previous}`);
  const figures = {
    lines,
    database_GB: gigabytes(bytes),
    bare_s: bare,
    bare_side_by_side_s: bareSideBySide,
    backup_s: tenths((backup.seconds - took.contents) * 1000),
    content_hash_s: took.contents,
    backup_stages_s: took,
    verify_s: verified.seconds,
    verify_rto_s: Number(verified.json.rto_seconds),
    restore_s: restored.seconds,
    peak_MiB: {
      backup: backup.peak_MiB,
      verify: verified.peak_MiB,
      restore: restored.peak_MiB,
    },
  };
  print(JSON.stringify(figures));
  return figures;
}

/** Seconds for both formats. */
async function bareDumps(
  { world, interrupted: signal }: Server,
  { sideBySide }: { sideBySide: boolean },
): Promise<number> {
  const pgDump = `${world.at('postgresql/usr/lib/postgresql/16/bin/pg_dump')} -h ${world.at('home')} -U postgres ledger`;
  const script = `set -euo pipefail
${pgDump} -Fc -f ${world.at('bare')} ${sideBySide ? '&' : ''}
${pgDump} | gzip >${world.at('bare.gz')}
${sideBySide ? 'wait $!' : ''}`;
  const begun = Date.now();
  await run(['bash', '-c', script], { signal });
  const seconds = tenths(Date.now() - begun);
  for (const file of ['bare', 'bare.gz']) rmSync(world.at(file));
  return seconds;
}

const ratio = (one: number, other: number): number => Math.round((one / other) * 100) / 100;
const gigabytes = (bytes: number): number => Math.round(bytes / 1e7) / 100;

const MOMENTS = 50;

export const moments: Scenario = {
  shows: `recovery of a cluster to ${MOMENTS} random moments: the heartbeat is right every time`,
  run: (_, print) =>
    onServer('', print, async (server) => {
      for (const script of ['compta-heartbeat', 'compta-base-backup']) {
        await runScript(server, script);
      }
      print('writing 400 heartbeats');
      const all = await beats(server.world, MOMENTS, 400);
      let right = 0;
      let longest = 0;
      for (const [index, { time, beat }] of all.entries()) {
        const { json } = await runScript(server, 'compta-pitr', [time]);
        if (json.last_beat === beat) right += 1;
        longest = Math.max(longest, Number(json.rto_seconds));
        print(`${index + 1} of ${MOMENTS}, ${time}: ${json.last_beat}, and ${beat} was due`);
      }
      return { right: atLeast(MOMENTS, right, 'moments'), longest_rto_s: longest };
    }),
};
