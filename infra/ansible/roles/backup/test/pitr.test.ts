import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { archived, beats, type Moment } from './heart.ts';
import { makeWorld, mountDisk, type World } from './world.ts';

// Seconds on an idle machine; a busy one may take its time.
jest.setTimeout(240_000);

let world: World;
let moments: Moment[];
beforeAll(async () => {
  world = makeWorld();
  world.sql('postgres', readFileSync(join(import.meta.dirname, 'books.sql'), 'utf8'));
  expect(world.script('compta-heartbeat')).toMatchObject({ code: 0 });
  // Copied within one second, with a beat in it.
  const beat = world.wrap(
    'zstd',
    `until (( 10#$(date +%N) < 100000000 )); do sleep 0.01; done
${world.at('postgresql/usr/lib/postgresql/16/bin/psql')} -qX -h ${world.at('home')} -U postgres <<<'INSERT INTO compta_heartbeat DEFAULT VALUES'
exec "$real" "$@"`,
  );
  expect(world.script('compta-base-backup', [], beat)).toMatchObject({ code: 0 });
  moments = await beats(world, 4, 40);
});
afterAll(() => world.stop());

const recover = (moment: string, ...more: string[]) =>
  world.script('compta-pitr', [moment, ...more], { input: world.identity });

test('WAL is archived encrypted, here and at the remote', () => {
  const [cluster = ''] = readdirSync(world.at('remote/wal'));
  const files = (place: string) =>
    readdirSync(world.at(place, cluster), { recursive: true })
      .map(String)
      .filter((name) => name.endsWith('.age'))
      .sort();
  expect(files('wal').length).toBeGreaterThan(2);
  expect(files('remote/wal')).toEqual(files('wal'));
  expect(
    execFileSync('head', [
      '-c',
      '21',
      world.at('wal', cluster, String(files('wal')[0])),
    ]).toString(),
  ).toBe('age-encryption.org/v1');
});

test('the same file again is taken as archived, another one under its name is refused', () => {
  const name = '0000000100000000000000FF';
  const archive = (content: string) => {
    writeFileSync(world.at('home/segment'), content);
    return execFileSync(
      'bash',
      [
        '-c',
        '"$0" "$@"; echo $?',
        world.at('sbin/compta-archive-wal'),
        world.at('home/segment'),
        name,
      ],
      {
        cwd: world.at('home/data'),
        uid: 65534,
        gid: 65534,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    ).trim();
  };
  // While the remote is away it is not archived, so that PostgreSQL keeps it and tries again.
  const back = world.configure({ remote: 'nowhere:bucket' });
  expect(archive('one')).toBe('69');
  back();
  expect(archive('one')).toBe('0');
  expect(archive('one')).toBe('0');
  expect(archive('two')).toBe('73');
  for (const place of ['wal', 'remote/wal']) {
    const [cluster = ''] = readdirSync(world.at(place));
    for (const file of readdirSync(world.at(place, cluster, '0000000100000000'))) {
      if (file.startsWith(name)) rmSync(world.at(place, cluster, '0000000100000000', file));
    }
  }
});

test('the cluster comes back as it was at random moments: the heartbeat is right every time', () => {
  for (const { time, beat } of moments) {
    const done = recover(time);
    expect(done).toMatchObject({ code: 0 });
    expect(done.json).toMatchObject({ last_beat: beat, rto_seconds: expect.any(Number) });
  }
});

/** When the base backup says that it ended. */
function baseEnded(): string {
  const [cluster = ''] = readdirSync(world.at('remote/base'));
  const [base = ''] = readdirSync(world.at('remote/base', cluster));
  const manifest = readFileSync(world.at('remote/base', cluster, base, 'manifest.json'), 'utf8');
  return (JSON.parse(manifest) as { ended: string }).ended;
}

test('the end that a base backup tells is the first moment that can be asked for', () => {
  expect(recover(baseEnded())).toMatchObject({ code: 0 });
  const before = new Date(Date.parse(baseEnded()) - 1).toISOString();
  expect(recover(before)).toMatchObject({
    code: 66,
    stderr: expect.stringContaining('was still being made'),
  });
});

test('a drill takes a random second since the base backup, of the cluster that is backed up now', () => {
  const ended = Date.parse(baseEnded());
  const former = world.at('remote/base/9');
  mkdirSync(join(former, 'base-20200101T000000Z'), { recursive: true });
  writeFileSync(join(former, 'base-20200101T000000Z/manifest.json'), '{}');
  // What is younger than this is not asked for, as it may not be archived yet.
  const young = Math.floor((Date.now() - ended) / 1000) - 1;
  const back = world.configure({ rpo_seconds: String(young) });
  const done = recover('random');
  const unclear = recover('latest');
  back();
  rmSync(former, { recursive: true });
  expect(unclear.code).toBe(64);
  expect(unclear.stderr).toContain('say which with --cluster');
  expect(done).toMatchObject({ code: 0 });
  const moment = Date.parse(String(done.json.moment));
  expect(moment).toBeGreaterThanOrEqual(ended);
  expect(moment).toBeLessThan(Date.now() - young * 1000 + 1000);
  expect(Date.parse(String(done.json.last_beat))).toBeLessThanOrEqual(moment);
});

test('to the last moment that is archived', () => {
  expect(recover('latest').json).toMatchObject({
    moment: 'latest',
    rpo_seconds: expect.any(Number),
  });
  expect(readFileSync(world.at('metrics/compta_pitr.prom'), 'utf8')).toMatch(
    /^compta_pitr_last_verified_timestamp_seconds\{\} \d+$/m,
  );
});

test('a moment that the archive does not reach is refused, one before the base backup too', () => {
  const late = recover(new Date(Date.now() + 3_600_000).toISOString());
  expect(late.code).toBe(66);
  expect(late.stderr).toContain('the archive does not reach');
  const early = recover('2020-01-01');
  expect(early.code).toBe(66);
  expect(early.stderr).toContain('there is no backup');
});

describe('a full disk where the cluster comes up', () => {
  beforeAll(() => mountDisk(world.at('restore'), '300m'));
  afterAll(() => {
    execFileSync('umount', [world.at('restore')]);
  });

  test.each([
    ['zstd', '"$*" == "--decompress --quiet"', /opening base-\S+ failed: the disk of \S+ is full/],
    ['rclone', '"$*" == *--files-from*', /fetching WAL failed: the disk of \S+ is full/],
  ])('is said as such, and not taken for damage (%s)', (program, when, said) => {
    const fill = `head -c 1G /dev/zero 2>/dev/null >>${world.at('restore/fill')}`;
    const full = world.wrap(program, `[[ ! ${when} ]] || ${fill}\nexec "$real" "$@"`);
    const done = world.script('compta-pitr', ['latest'], { input: world.identity, ...full });
    rmSync(world.at('restore/fill'));
    expect(done.code).toBe(28);
    expect(done.stderr).toMatch(said);
    expect(readdirSync(world.at('restore'))).toEqual(['.pitr.lock']);
  });
});

test('a segment with one byte flipped stops the recovery', () => {
  const [cluster = ''] = readdirSync(world.at('remote/wal'));
  const file =
    readdirSync(world.at('remote/wal', cluster), { recursive: true })
      .map(String)
      .filter((name) => name.endsWith('.age'))
      .sort()
      .at(-1) ?? '';
  const path = world.at('remote/wal', cluster, file);
  const bytes = readFileSync(path);
  const flip = () => {
    bytes[bytes.length - 9] = (bytes.at(-9) ?? 0) ^ 1;
    writeFileSync(path, bytes);
  };
  flip();
  const done = recover('latest');
  flip();
  expect(done.code).toBe(65);
  expect(done.stderr).toContain('cannot be opened');
});

test('a database is taken out of a moment and put back on the server', async () => {
  const before = world.sql('compta_books', 'SELECT count(*), sum(debit) FROM journal_line');
  await pause(1100);
  const moment = new Date().toISOString();
  await pause(1100);
  world.sql('compta_books', 'DELETE FROM journal_line WHERE id % 2 = 0'); // the mistake
  world.script('compta-heartbeat');
  world.sql('postgres', 'SELECT pg_switch_wal()');
  await archived(world);
  const done = recover(moment, '--export=compta_books');
  expect(done).toMatchObject({ code: 0 });
  const { name } = done.json.backup as { name: string };
  // Nothing of it stays here, where it was in clear.
  expect(readdirSync(world.at('backups/moments')).filter((entry) => entry[0] !== '.')).toEqual([]);
  const restored = world.script(
    'compta-restore',
    [`moments/${name}`, 'compta_books', '--replace=compta_books'],
    { input: world.identity },
  );
  expect(restored).toMatchObject({ code: 0 });
  expect(world.sql('compta_books', 'SELECT count(*), sum(debit) FROM journal_line')).toBe(before);
});

test('a last beat of long ago fails a drill, but not the taking out of what a lost server has left', () => {
  const back = world.configure({ rpo_seconds: '0' });
  const drill = recover('latest');
  const taken = recover('latest', '--export=compta_books');
  back();
  expect(drill.code).toBe(65);
  expect(taken).toMatchObject({ code: 0 });
  expect(taken.json).toMatchObject({ backup: { database: 'compta_books' } });
  for (const { stderr } of [drill, taken]) expect(stderr).toContain('the 0 s that may be lost');
});

test('a moment at which a base backup was being made is reached from the one before', async () => {
  const [cluster = ''] = readdirSync(world.at('remote/base'));
  const [first = ''] = readdirSync(world.at('remote/base', cluster));
  const slow = world.wrap('zstd', 'sleep 2.5\nexec "$real" "$@"');
  const { time } = world.script('compta-base-backup', [], slow).json;
  world.script('compta-heartbeat');
  world.sql('postgres', 'SELECT pg_switch_wal()');
  await archived(world);
  const done = recover(new Date(Date.parse(String(time)) + 1000).toISOString());
  expect(done).toMatchObject({ code: 0 });
  expect(done.json).toMatchObject({ base: first });
});

test('a base backup whose upload is cut is uploaded by the next run, and no other one again', () => {
  const [cluster = ''] = readdirSync(world.at('remote/base'));
  const there = () => readdirSync(world.at('remote/base', cluster)).sort();
  const before = there();
  const [first = ''] = before;
  // As one that was uploaded before there was a mark.
  rmSync(world.at('backups/base', first, 'uploaded'));
  const none = world.wrap('rclone', '[[ "$*" != *" copy "* ]] || exit 1\nexec "$real" "$@"');
  const cut = world.script('compta-base-backup', [], none);
  expect(cut.code).toBe(69);
  const [, name = ''] =
    /the upload of (base-\S+) failed: it lies in \S+, whole, and the next run/.exec(cut.stderr) ??
    [];
  expect(there()).toEqual(before);
  expect(readdirSync(world.at('backups/base', first))).toContain('uploaded');

  const next = world.script('compta-base-backup');
  expect(next).toMatchObject({ code: 0 });
  expect(there()).toEqual([...before, name, next.json.name]);
  const file = readFileSync(world.at('remote/base', cluster, name, 'base.tar.zst.age'));
  const sum = createHash('sha256').update(file).digest('hex');
  expect(readFileSync(world.at('remote/base', cluster, name, 'manifest.json'), 'utf8')).toContain(
    sum,
  );
});

test('two base backups of one second get a name each', () => {
  const [cluster = ''] = readdirSync(world.at('remote/base'));
  const taken =
    readdirSync(world.at('backups/base'))
      .filter((name) => name[0] !== '.')
      .sort()
      .at(-1) ?? '';
  const asked = world.at('home/asked');
  const sameSecond = world.wrap(
    'date',
    `if [[ $* == *--date=now* && ! -e ${asked} ]]; then touch ${asked}; exec echo ${taken.slice('base-'.length)}; fi
exec "$real" "$@"`,
  );
  const done = world.script('compta-base-backup', [], sameSecond);
  expect(done).toMatchObject({ code: 0 });
  expect(existsSync(asked)).toBe(true);
  expect(readdirSync(world.at('remote/base', cluster))).toEqual(
    expect.arrayContaining([taken, done.json.name]),
  );
});

test('WAL that a checkpoint would recycle while the cluster is copied is in the copy', () => {
  const psql = world.at('postgresql/usr/lib/postgresql/16/bin/psql');
  const busy = world.wrap(
    'zstd',
    `ask() { ${psql} -XAtq -h ${world.at('home')} -U postgres -c "$1"; }
answers() { for _ in {1..100}; do [[ $(ask "$1") != $2* ]] || return 0; sleep 0.1; done; exit 1; }
answers 'SELECT phase FROM pg_stat_progress_basebackup' streaming
ask 'SELECT pg_switch_wal()' >/dev/null
answers "SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'" 0
ask CHECKPOINT >/dev/null
exec "$real" "$@"`,
  );
  expect(world.script('compta-base-backup', [], busy)).toMatchObject({ code: 0 });
  expect(world.sql('postgres', 'SELECT count(*) FROM pg_replication_slots')).toBe('0');
});

test('a remote that is lost is filled again from what the server has, and leads to each moment as before', async () => {
  const anew = world.at('remote-anew');
  mkdirSync(anew);
  chownSync(anew, 65534, 65534);
  const back = world.configure({ remote: anew });
  // As docs/disaster-recovery.md (5) has it.
  execFileSync('find', [world.at('backups'), '-name', 'uploaded', '-delete']);
  expect(world.script('compta-backup', ['--all'])).toMatchObject({ code: 0 });
  expect(world.script('compta-base-backup')).toMatchObject({ code: 0 });
  await archived(world);
  const rclone = ['rclone', '--config', world.at('etc/rclone.conf'), 'copy'];
  const paths = ['--exclude', '.partial.*/**', world.at('wal'), join(anew, 'wal')];
  execFileSync('runuser', ['--user', 'nobody', '--', ...rclone, ...paths]);
  const verified = world.script('compta-verify-backup', ['--all'], { input: world.identity });
  const [moment] = moments;
  const done = recover(String(moment?.time));
  back();
  expect(verified).toMatchObject({ code: 0 });
  expect(done).toMatchObject({ code: 0 });
  expect(done.json).toMatchObject({ last_beat: moment?.beat });
});
