import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { beats } from '../../infra/ansible/roles/backup/test/heart.ts';
import { makeWorld, type World } from '../../infra/ansible/roles/backup/test/world.ts';
import type { Figures } from '../measurement.ts';
import { type Scenario, seconds } from '../scenarios/scenario.ts';
import { makeLedger } from './ledger.ts';

const SETTINGS = `shared_buffers = 1GB
maintenance_work_mem = 512MB
max_wal_size = 8GB
archive_timeout = 0`;

/** Journal lines; a tenth of them is measured first, for the growth. */
const LINES = Number(process.env.COMPTA_BENCH_LINES ?? 20_000_000);

export const backups: Scenario = {
  shows: `backup, verification and restore of ${LINES.toLocaleString('en')} journal lines, against bare pg_dump`,
  async run(_, print) {
    const world = makeWorld({ settings: SETTINGS });
    try {
      const [small, large] = [LINES / 10, LINES].map((lines) => measure(world, lines, print));
      assert.ok(small && large);
      const growth = large.backup_s / Math.max(1, small.backup_s) / 10;
      assert.ok(large.times_bare <= 1.3, `a backup takes ${large.times_bare} times the bare dumps`);
      return {
        small: { ...small },
        large: { ...large },
        growth_against_linear: Math.round(growth * 100) / 100,
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
      `set -o pipefail; ${pgDump} -Fc -f ${world.at('bare')} ledger; ${pgDump} ledger | gzip >${world.at('bare.gz')}`,
    ]);
  });
  const backup = world.script('compta-backup', ['ledger', '--listing']);
  assert.equal(backup.code, 0, backup.stderr);
  const took = backup.json.took as Record<string, number>;
  const contents = took.contents ?? 0;
  const whole = Number(backup.json.seconds);
  const verified = world.script('compta-verify-backup', ['ledger'], { input: world.identity });
  assert.equal(verified.code, 0, verified.stderr);
  const restored = world.script('compta-restore', ['latest', 'ledger', '--replace=ledger'], {
    input: world.identity,
  });
  assert.equal(restored.code, 0, restored.stderr);
  world.sql('postgres', `DROP DATABASE ${restored.json.previous}`);
  const figures = {
    lines,
    database_MiB: Math.round(bytes / 2 ** 20),
    bare_s: seconds(bare),
    backup_s: whole - contents,
    content_hash_s: contents,
    times_bare: Math.round(((whole - contents) / Math.max(1, seconds(bare))) * 100) / 100,
    verify_rto_s: Number(verified.json.rto_seconds),
    restore_s: Number(restored.json.seconds),
  };
  print(JSON.stringify(figures));
  return figures;
}

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
      let longest = 0;
      for (const { time, beat } of all) {
        const done = world.script('compta-pitr', [time], { input: world.identity });
        assert.equal(done.code, 0, done.stderr);
        assert.equal(done.json.last_beat, beat, `at ${time}`);
        longest = Math.max(longest, Number(done.json.rto_seconds));
        print(`${time}: ${beat}`);
      }
      return { moments: all.length, right: all.length, longest_rto_s: longest };
    } finally {
      world.stop();
    }
  },
};
