import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { beats } from '../../infra/ansible/roles/backup/test/heart.ts';
import { makeWorld, type World } from '../../infra/ansible/roles/backup/test/world.ts';
import { atLeast, atMost, type Figures } from '../measurement.ts';
import { type Scenario, seconds } from '../scenarios/scenario.ts';
import { makeLedger } from './ledger.ts';

/** Nothing archives WAL meanwhile: it would have its share of the processors, now more and now less. */
const SETTINGS = `shared_buffers = 1GB
maintenance_work_mem = 512MB
max_wal_size = 8GB
archive_mode = off`;

/** Journal lines; a tenth of them is measured first, for the growth. */
const LINES = Number(process.env.COMPTA_BENCH_LINES ?? 20_000_000);

export const backups: Scenario = {
  shows: `backup, verification and restore of ${LINES.toLocaleString('en')} journal lines, against bare pg_dump`,
  async run(_, print) {
    const world = makeWorld({ settings: SETTINGS });
    try {
      const [small, large] = [LINES / 10, LINES].map((lines) => measure(world, lines, print));
      assert.ok(small && large);
      const growth = (of: 'backup_s' | 'verify_s' | 'restore_s') =>
        ratio(large[of], small[of] * 10);
      const peak = (of: keyof typeof large.peak_MiB) =>
        atMost(2, ratio(large.peak_MiB[of], small.peak_MiB[of]), 'times');
      return {
        small,
        large,
        size: atLeast(2, large.database_GB, 'GB'),
        journal: atLeast(20_000_000, large.lines, 'lines'),
        times_bare: atMost(1.3, ratio(large.backup_s, large.bare_s), 'times'),
        growth_against_linear: {
          backup: atMost(1.3, growth('backup_s'), 'times'),
          // Indexes are sorted again, which is no linear work.
          verify: atMost(1.5, growth('verify_s'), 'times'),
          restore: atMost(1.5, growth('restore_s'), 'times'),
        },
        peak_against_small: {
          backup: peak('backup'),
          verify: peak('verify'),
          restore: peak('restore'),
        },
      };
    } finally {
      world.stop();
    }
  },
};

function measure(world: World, lines: number, print: (line: string) => void) {
  const bytes = makeLedger(world, lines);
  print(`${lines} lines, ${Math.round(bytes / 2 ** 20)} MiB`);
  const pgDump = `${world.at('postgresql/usr/lib/postgresql/16/bin/pg_dump')} -h ${world.at('home')} -U postgres`;
  const bare = timed(() => {
    execFileSync('bash', [
      '-c',
      `set -euo pipefail; ${pgDump} -Fc -f ${world.at('bare')} ledger; ${pgDump} ledger | gzip >${world.at('bare.gz')}`,
    ]);
  });
  for (const file of ['bare', 'bare.gz']) rmSync(world.at(file));
  const backup = watched(world, 'compta-backup', ['ledger', '--listing']);
  const { took } = backup.json as { took: Record<'contents', number> };
  const verified = watched(world, 'compta-verify-backup', ['ledger']);
  const restored = watched(world, 'compta-restore', ['latest', 'ledger', '--replace=ledger']);
  world.sql('postgres', `DROP DATABASE ${restored.json.previous}`);
  const figures = {
    lines,
    database_GB: Math.round(bytes / 1e7) / 100,
    bare_s: seconds(bare),
    backup_s: backup.seconds - took.contents,
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

/** Runs a script to its good end: its answer, how long it took, and the most memory that one of its processes had. */
function watched(world: World, script: string, args: string[]) {
  const begun = Date.now();
  const done = spawnSync('python3', ['-c', PEAK, world.at('sbin', script), ...args], {
    input: world.identity,
    encoding: 'utf8',
  });
  assert.equal(done.status, 0, done.stderr);
  const [answer = '', peak] = done.stdout.trim().split('\n').slice(-2);
  return {
    json: JSON.parse(answer) as Record<string, unknown>,
    seconds: seconds(Date.now() - begun),
    peak_MiB: Math.round(Number(peak) / 1024),
  };
}

/** Runs a command, and tells the most memory in KiB that any one of its processes had; the server is none of them. */
const PEAK = `import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)`;

const ratio = (one: number, other: number): number => Math.round((one / other) * 100) / 100;

function timed(work: () => void): number {
  const begun = Date.now();
  work();
  return Date.now() - begun;
}

export const moments: Scenario = {
  shows: 'recovery of a cluster to 50 random moments: the heartbeat is right every time',
  async run(_, print): Promise<Figures> {
    const world = makeWorld();
    try {
      for (const script of ['compta-heartbeat', 'compta-base-backup']) {
        const done = world.script(script);
        assert.equal(done.code, 0, done.stderr);
      }
      const all = await beats(world, 50, 400);
      let right = 0;
      let longest = 0;
      for (const { time, beat } of all) {
        const done = world.script('compta-pitr', [time], { input: world.identity });
        assert.equal(done.code, 0, done.stderr);
        if (done.json.last_beat === beat) right += 1;
        longest = Math.max(longest, Number(done.json.rto_seconds));
        print(`${time}: ${done.json.last_beat}, and ${beat} was due`);
      }
      return { right: atLeast(50, right, 'moments'), longest_rto_s: longest };
    } finally {
      world.stop();
    }
  },
};
