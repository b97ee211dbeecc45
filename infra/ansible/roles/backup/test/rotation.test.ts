import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { DAY, makeWorld, twoDaysOfOneMonth, type World } from './world.ts';

// Seconds on an idle machine; a busy one may take its time.
jest.setTimeout(240_000);

let world: World;
beforeAll(() => {
  world = makeWorld();
});
afterAll(() => world.stop());

const now = Date.UTC(2026, 10, 25, 3);
const nameOf = (time: number) =>
  `books-${new Date(time).toISOString().replace(/\.\d+/, '').replaceAll(/[-:]/g, '')}`;

/** A backup a day for so many days, the newest one today; those named are verified. */
function daily(days: number, verified: (age: number) => boolean): string[] {
  return Array.from(
    { length: days },
    (_, age) => `${nameOf(now - age * DAY)} ${verified(age) ? 'yes' : 'no'}`,
  );
}

/** What the library's rule lets go, at 2026-11-25T03:00Z. */
function expired(lines: string[], { days = 30, months = 12, keep = 3, proof = 2 } = {}): string[] {
  const rule = [now / 1000, days, months, keep, proof].join(' ');
  const text = execFileSync(
    'bash',
    ['-c', `source ${world.at('lib/library.sh')}; expired ${rule}`],
    {
      input: `${lines.join('\n')}\n`,
      encoding: 'utf8',
    },
  );
  return text.split('\n').filter(Boolean);
}

describe('the rule', () => {
  test('keeps 30 days, and one of each of 12 months', () => {
    const all = daily(500, () => true);
    const kept = all.length - expired(all).length;
    // 31 of the last 30 days (the first and the last one are both at most 30 days old), and the first
    // of December to October.
    expect(kept).toBe(31 + 11);
    expect(expired(all)).not.toContain(nameOf(Date.UTC(2025, 11, 1, 3)));
    expect(expired(all)).toContain(nameOf(Date.UTC(2025, 10, 1, 3)));
  });

  test('keeps a verified one of a month rather than an earlier one that is not', () => {
    const gone = expired(daily(100, (age) => age % 5 === 0));
    const september = daily(100, (age) => age % 5 === 0).filter((line) =>
      line.startsWith('books-202609'),
    );
    const first = september
      .filter((line) => line.endsWith('yes'))
      .at(-1)
      ?.split(' ')[0];
    expect(
      september.map((line) => line.split(' ')[0]).filter((name) => !gone.includes(String(name))),
    ).toEqual([first]);
  });

  test('deletes nothing while nothing was verified for a week', () => {
    expect(expired(daily(100, (age) => age >= 7))).toEqual([]);
    expect(expired(daily(100, (age) => age >= 1))).not.toEqual([]);
  });

  test('deletes nothing without enough newer verified ones', () => {
    expect(
      expired(
        daily(60, (age) => age < 2),
        { months: 0 },
      ),
    ).toEqual([]);
    expect(
      expired(
        daily(60, (age) => age < 3),
        { months: 0 },
      ),
    ).toHaveLength(60 - 31);
    expect(expired(daily(60, () => false))).toEqual([]);
    expect(expired([])).toEqual([]);
  });

  test('neither counts nor deletes what is dated in the future', () => {
    const future = [1, 2, 3, 400].map((days) => `${nameOf(now + days * DAY)} yes`);
    expect(expired([...future, ...daily(60, (age) => age >= 7)])).toEqual([]);
  });
});

describe('a rotation', () => {
  const folders = (place: string) => readdirSync(world.at(place)).sort();
  /** Backups of so many days before today, here and at the remote; their names. */
  function lay(ages: number[], verified: boolean): string[] {
    const names = ages.map((age) => nameOf(Date.now() - age * DAY));
    for (const name of names) {
      for (const place of ['backups', 'remote/dumps']) {
        mkdirSync(world.at(place, 'books', name), { recursive: true });
        writeFileSync(
          world.at(place, 'books', name, 'manifest.json'),
          '{"proof":"manifest-and-listing"}',
        );
        if (verified && place !== 'backups') {
          writeFileSync(world.at(place, 'books', name, 'verified.json'), '{}');
        }
      }
    }
    execFileSync('chown', ['-R', 'nobody', world.at('backups'), world.at('remote')]);
    return names;
  }

  test('deletes here and at the remote what the rule lets go, and nothing else', () => {
    const old = lay([400, ...twoDaysOfOneMonth()], true);
    const young = lay([1, 2], false);
    for (const place of ['local', 'remote']) {
      expect(world.script('compta-rotate-backups', [place])).toMatchObject({ code: 0 });
    }
    expect(folders('backups/books')).toHaveLength(5); // nothing was verified since
    young.push(...lay([0, 3, 5], true));
    expect(world.script('compta-rotate-backups', ['local'])).toMatchObject({ code: 0 });
    expect(world.script('compta-rotate-backups', ['remote'])).toMatchObject({ code: 0 });
    const kept = [...old.slice(0, 2), ...young].sort();
    expect(folders('backups/books')).toEqual(kept);
    expect(folders('remote/dumps/books')).toEqual(kept);
  });

  test('takes away what an upload that was killed has left, after two days, and none that is going on', () => {
    // A file keeps its time at the remote: one that waited for the remote is old when its upload begins.
    const waiting = world.at('home/waiting');
    const old = new Date(Date.now() - 3 * DAY);
    mkdirSync(waiting);
    for (const name of ['dump.age', 'manifest.json']) {
      writeFileSync(world.at('home/waiting', name), '{}');
      utimesSync(world.at('home/waiting', name), old, old);
    }
    const killed = [3, 1].map((days) => nameOf(Date.now() - days * DAY).replace('books', 'x.1'));
    for (const name of killed) {
      mkdirSync(world.at('remote/incoming', name), { recursive: true });
      writeFileSync(world.at('remote/incoming', name, 'dump.age'), 'half');
    }
    execFileSync('chown', ['-R', 'nobody', world.at('remote'), waiting]);
    const rotate = world.at('sbin/compta-rotate-backups');
    const { env } = world.wrap(
      'rclone',
      `"$real" "$@" || exit\n[[ "$*" != *" copy "* ]] || ${rotate} remote`,
    );
    const upload = `source ${world.at('lib/library.sh')}; publish ${waiting} dumps/late/late-1 dump.age manifest.json`;
    execFileSync('runuser', ['--user', 'nobody', '--', 'bash', '-c', upload], {
      cwd: '/',
      env: { ...env, HOME: '/nonexistent' },
    });
    expect(folders('remote/dumps/late/late-1')).toEqual(['dump.age', 'manifest.json']);
    expect(folders('remote/incoming')).toEqual(killed.slice(1));
  });

  describe('of base backups and WAL', () => {
    const cluster = '7000000000000000001';
    const segment = (number: number) => `0000000100000000${String(number).padStart(8, '0')}`;
    const base = (age: number) => nameOf(Date.now() - age * DAY).replace('books', 'base');
    const places = ['backups/base', `remote/base/${cluster}`];
    const bases = () => places.map((place) => folders(place));
    const wal = () =>
      ['wal', 'remote/wal'].map((place) =>
        folders(`${place}/${cluster}/0000000100000000`).map((name) => Number(name.slice(16, 24))),
      );
    const rotate = () =>
      ['local', 'remote'].map((place) => world.script('compta-rotate-backups', [place]).code);
    const FIRST = { 50: 2, 43: 4, 36: 6, 10: 8 };
    const waiting = base(33);
    const names = Object.fromEntries(Object.keys(FIRST).map((age) => [age, base(Number(age))]));

    beforeAll(() => {
      for (const [age, first] of Object.entries(FIRST)) {
        for (const place of places) {
          const about = { system_identifier: cluster, start_wal: segment(first) };
          mkdirSync(world.at(place, String(names[age])), { recursive: true });
          writeFileSync(
            world.at(place, String(names[age]), 'manifest.json'),
            JSON.stringify({ ...about, proof: 'page-checksums' }),
          );
        }
      }
      // One whose upload was cut leads nowhere yet: neither is it the one that stays, nor does it go.
      const about = { system_identifier: cluster, start_wal: segment(7), proof: 'page-checksums' };
      mkdirSync(world.at(String(places[0]), waiting));
      writeFileSync(world.at(String(places[0]), waiting, 'manifest.json'), JSON.stringify(about));
      writeFileSync(world.at(String(places[0]), waiting, 'base.tar.zst.age'), '');
      writeFileSync(world.at(String(places[1]), String(names[10]), 'verified.json'), '{}');
      for (const place of ['wal', 'remote/wal']) {
        mkdirSync(world.at(place, cluster, '0000000100000000'), { recursive: true });
        for (const number of [1, 2, 3, 4, 5, 6, 7, 8, 9]) {
          const file = `${segment(number)}-0.zst.age`;
          writeFileSync(world.at(place, cluster, '0000000100000000', file), '');
        }
      }
      const all = ['backups', 'wal', 'remote'].map((place) => world.at(place));
      execFileSync('chown', ['-R', 'nobody', ...all]);
    });

    test('deletes no WAL while one of them cannot be read, as it may be the oldest', () => {
      const before = wal();
      const manifests = places.map((place) => world.at(place, String(names[36]), 'manifest.json'));
      for (const file of manifests) {
        chownSync(file, 0, 0);
        chmodSync(file, 0o600);
      }
      for (const code of rotate()) expect(code).not.toBe(0);
      for (const file of manifests) chmodSync(file, 0o644);
      expect(wal()).toEqual(before);
    });

    test('keeps what leads to each of the last 30 days: one from before them, and the WAL since', () => {
      expect(rotate()).toEqual([0, 0]);
      expect(bases()).toEqual([
        [names[36], waiting, names[10]],
        [names[36], names[10]],
      ]);
      for (const place of wal()) expect(place).toEqual([6, 7, 8, 9]);
    });
  });

  test('deletes nothing while the remote cannot be asked, and says so', () => {
    const before = folders('backups/books');
    lay([150, 151, 152], true);
    const back = world.configure({ remote: 'nowhere:bucket' });
    const rotations = ['local', 'remote'].map((place) =>
      world.script('compta-rotate-backups', [place]),
    );
    back();
    for (const done of rotations) {
      expect(done.code).toBe(69);
      expect(done.stderr).toContain('the remote cannot be read');
    }
    expect(folders('backups/books')).toHaveLength(before.length + 3);
  });
});
