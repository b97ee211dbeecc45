import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { DAY, makeWorld, mountDisk, type Result, twoDaysOfOneMonth, type World } from './world.ts';

// Seconds on an idle machine; a busy one may take its time.
jest.setTimeout(240_000);

let world: World;
let good = '';
beforeAll(() => {
  world = makeWorld({ disk: '1g', settings: 'max_wal_size = 96MB' });
  world.sql('postgres', readFileSync(join(import.meta.dirname, 'books.sql'), 'utf8'));
  good = String(backUp().json.name);
});
afterAll(() => world.stop());

const backUp = (options = {}) =>
  world.script('compta-backup', ['compta_books', '--listing'], options);
const verify = (name = '', input = world.identity) =>
  world.script('compta-verify-backup', ['compta_books', ...(name ? [name] : [])], { input });
const local = () => readdirSync(world.at('backups/compta_books')).sort();
const remote = () => readdirSync(world.at('remote/dumps/compta_books')).sort();
const remoteFile = (name: string, file: string) =>
  world.at('remote/dumps/compta_books', name, file);
/** The script's own words, without those of the programs that it runs. */
const words = ({ stderr }: Result) =>
  stderr
    .split('\n')
    .filter(
      (line) =>
        line.startsWith('compta-') && !/dumping|proving|uploading|fetching|restoring$/.test(line),
    );

/** Copies of databases that a run works on. */
const copies = () =>
  world.sql('postgres', "SELECT count(*) FROM pg_database WHERE datname ~ '_(check|restored)_'");

/** A program of PostgreSQL's that does something else first, until the returned function is called. */
function inFront(program: string, text: string): () => void {
  const real = world.at('postgresql/usr/lib/postgresql/16/bin');
  const bin = world.at(`bin-${program}`);
  rmSync(bin, { recursive: true, force: true });
  execFileSync('cp', ['-rs', real, bin]);
  rmSync(join(bin, program));
  writeFileSync(join(bin, program), `#!/bin/bash\nreal=${join(real, program)}\n${text}\n`, {
    mode: 0o755,
  });
  return world.configure({ bin });
}

async function until(condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 60_000; !condition(); await pause(50)) {
    if (Date.now() > end) throw new Error('it did not come to that within a minute');
  }
}

describe('a dump', () => {
  test('that is killed leaves no backup, here or at the remote', async () => {
    const back = inFront('pg_dump', `echo $$ >>${world.at('home/pids')}\nexec "$real" "$@"`);
    const before = [local(), remote()];
    // A lock holds the dump in its middle.
    const psql = [
      world.at('postgresql/usr/lib/postgresql/16/bin/psql'),
      '-XAtq',
      '-h',
      world.at('home'),
      '-U',
      'postgres',
    ];
    const holder = spawn(String(psql[0]), [...psql.slice(1), 'compta_books']);
    holder.stdin.write('BEGIN; LOCK TABLE account IN ACCESS EXCLUSIVE MODE; SELECT 1;\n');
    await once(holder.stdout, 'data');
    const running = world.start('compta-backup', ['compta_books', '--listing']);
    let said = '';
    running.stderr?.on('data', (text: Buffer) => (said += text));
    const ended = once(running, 'close');
    await until(
      () =>
        existsSync(world.at('home/pids')) &&
        readFileSync(world.at('home/pids'), 'utf8').split('\n').length > 2,
    );
    process.kill(Number(readFileSync(world.at('home/pids'), 'utf8').split('\n')[0]), 'SIGKILL');
    holder.stdin.end();
    expect((await ended)[0]).toBe(1);
    back();
    expect(said).toContain('compta_books: the dump failed');
    expect([local(), remote()]).toEqual(before);
  });

  test('whose whole run is killed leaves what the next run clears away', async () => {
    const slow = world.wrap('gzip', 'sleep 60');
    const running = world.start('compta-backup', ['compta_books', '--listing'], slow);
    const ended = once(running, 'exit');
    await until(() => local().some((name) => name.startsWith('.partial.')));
    await pause(500);
    process.kill(-Number(running.pid), 'SIGKILL');
    await ended;
    expect(backUp()).toMatchObject({ code: 0 });
    expect(local().filter((name) => name.startsWith('.'))).toEqual([]);
  });

  test('that is killed while it is proven leaves a copy that the next run takes away', async () => {
    const back = inFront('pg_restore', 'exec sleep 60');
    const running = world.start('compta-backup', ['compta_books']);
    const ended = once(running, 'exit');
    await until(() => copies() === '1');
    process.kill(-Number(running.pid), 'SIGKILL');
    await ended;
    back();
    const next = world.script('compta-backup', ['compta_books']);
    expect(next.json).toMatchObject({ proof: 'restored-and-compared' });
    expect(copies()).toBe('0');
    expect(local().filter((name) => name.startsWith('.'))).toEqual([]);
  });

  test('that may not read a table says which, and is no backup', () => {
    world.sql(
      'compta_books',
      `CREATE ROLE reader LOGIN; GRANT CONNECT ON DATABASE compta_books TO reader;
       GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;
       GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO reader;
       REVOKE SELECT ON account FROM reader`,
    );
    const before = local();
    const done = backUp({ env: { PGUSER: 'reader' } });
    expect(done.code).toBe(1);
    expect(done.stderr).toContain('permission denied for table account');
    expect(words(done)).toEqual([expect.stringContaining('compta_books: the dump failed')]);
    expect(local()).toEqual(before);
  });
});

describe('a full disk', () => {
  const DISKS = { backups: '96m', restore: '400m', remote: '48m' };
  beforeAll(() => {
    for (const [name, size] of Object.entries(DISKS)) {
      renameSync(world.at(name), world.at(`${name}.before`));
      mkdirSync(world.at(name));
      mountDisk(world.at(name), size);
    }
  });
  afterAll(() => {
    for (const name of Object.keys(DISKS)) {
      execFileSync('umount', [world.at(name)]);
      rmSync(world.at(name), { recursive: true });
      renameSync(world.at(`${name}.before`), world.at(name));
    }
  });
  const partials = () =>
    readdirSync(world.at('backups')).filter((name) => name.startsWith('.partial'));
  /** Shell that fills a disk but for so many MiB, if there are that many. */
  const fill = (disk = 'backups', left = 0) =>
    left === 0
      ? `head -c 2G /dev/zero 2>/dev/null >>${world.at(disk, 'fill')}`
      : `fallocate -l $(($(df --output=avail -B1 ${world.at(disk)} | tail -n 1) - ${left} * 1048576)) ${world.at(disk, 'fill')} 2>/dev/null`;
  const empty = (disk = 'backups') => rmSync(world.at(disk, 'fill'));

  test.each([
    ['the SQL', 'gzip', 'true', 'the dump failed'],
    ['the contents', 'jq', 'true', 'failed'],
    ['the encryption', 'age', '[[ "$1" != --version ]]', 'the encryption failed'],
    ['the answer', 'jq', '[[ "$*" == *"{database, path"* ]]', 'writing the answer failed'],
  ])(
    'at %s is said as such; the backup before stays, and the next one works',
    (_, program, when, said) => {
      expect(backUp()).toMatchObject({ code: 0 });
      const before = [local(), remote()];
      const done = backUp(world.wrap(program, `! ${when} || ${fill()}\nexec "$real" "$@"`));
      empty();
      expect(done.code).toBe(28);
      expect(words(done)).toHaveLength(1);
      expect(words(done)[0]).toContain(said);
      expect(words(done)[0]).toContain('is full');
      expect([local(), remote()]).toEqual(before);
    },
  );

  describe('where a backup is proven beside the database', () => {
    // PostgreSQL would stop without room for its WAL, and with it whoever posts: so it is never that full.
    const LEFT = 40;
    test.each([
      [
        'before the copy is restored',
        'home',
        () => ({
          ...world.wrap(
            'jq',
            `[[ "$*" != *schema_version* ]] || ${fill('home', LEFT)}\nexec "$real" "$@"`,
          ),
          back: () => {},
        }),
      ],
      [
        'while it is restored',
        'home',
        () => ({
          env: {},
          back: inFront('pg_restore', `${fill('home', LEFT)}\nexec sleep 60`),
        }),
      ],
      [
        'while it is compared',
        'backups',
        () => ({
          ...world.wrap(
            'jq',
            `! compgen -G '${world.at('backups/compta_books')}/.partial.*/manifest.json' >/dev/null ||
[[ "$*" != "--compact-output ." ]] || ${fill()}\nexec "$real" "$@"`,
          ),
          back: () => {},
        }),
      ],
    ])('%s: no backup, the books are untouched, and the next run finishes', (_, disk, fault) => {
      const before = [local(), remote()];
      const { back, ...options } = fault();
      const done = world.script('compta-backup', ['compta_books'], options);
      back();
      empty(disk);
      expect(done.code).toBe(28);
      expect(words(done)).toEqual([
        expect.stringMatching(
          /^compta-backup: compta_books\S*: .* failed: the disk of \S+ is full/,
        ),
      ]);
      expect([local(), remote()]).toEqual(before);
      expect(copies()).toBe('0');
      const next = world.script('compta-backup', ['compta_books']);
      expect(next.json).toMatchObject({ proof: 'restored-and-compared' });
      expect(local()).toEqual(
        expect.arrayContaining([...(before[0] ?? []), `${next.json.name}.dump.json`]),
      );
    });

    test('while a restore is made ready: the database stays as it is', () => {
      const back = inFront('pg_restore', `${fill('home', LEFT)}\nexec sleep 60`);
      const done = world.script(
        'compta-restore',
        ['latest', 'compta_books', '--replace=compta_books'],
        { input: world.identity },
      );
      back();
      empty('home');
      expect(done.code).toBe(28);
      expect(words(done).at(-1)).toMatch(/restoring aside failed: the disk of \S+ is full/);
      expect(copies()).toBe('0');
      expect(world.sql('compta_books', 'SELECT count(*) FROM journal_line')).toBe('20000');
    });
  });

  test('of the remote cuts an upload: nothing of it is there, and the next run makes up for it', () => {
    const before = remote();
    const done = backUp(world.wrap('rclone', `${fill('remote')}\nexec "$real" "$@"`));
    empty('remote');
    expect(done.code).toBe(69);
    expect(words(done)).toEqual([
      expect.stringMatching(/the upload of \S+ failed: it lies in \S+, whole, and the next run/),
    ]);
    expect(remote()).toEqual(before);
    expect(readdirSync(world.at('remote/incoming')).join()).not.toContain('compta_books');
    const cut = /upload of (\S+) failed/.exec(done.stderr)?.[1] ?? '';
    const next = backUp();
    expect(next).toMatchObject({ code: 0 });
    expect(remote()).toEqual([...before, cut, next.json.name]);
    expect(verify(cut)).toMatchObject({ code: 0 });
  });

  test('here while a backup is uploaded does it no harm: all that it needs is written', () => {
    const done = backUp(world.wrap('rclone', `${fill()}\nexec "$real" "$@"`));
    empty();
    expect(done).toMatchObject({ code: 0 });
    expect(remote()).toContain(done.json.name);
  });

  test('at a copy of the whole cluster is said as such, and leaves nothing of it', () => {
    const done = world.script(
      'compta-base-backup',
      [],
      world.wrap('zstd', `${fill()}\nexec "$real" "$@"`),
    );
    empty();
    expect(done.code).toBe(28);
    expect(words(done).at(-1)).toMatch(/the base backup failed: .* is full/);
    expect(readdirSync(world.at('backups/base'))).toEqual([]);
  });

  test('at the roles is said as such, and leaves nothing of them', () => {
    const options = world.wrap('age', `${fill()}\nexec "$real" "$@"`);
    const done = world.script('compta-backup', ['--globals'], options);
    empty();
    expect(done.code).toBe(28);
    expect(words(done)).toEqual([
      expect.stringMatching(/roles: the encryption failed: .* is full/),
    ]);
    expect(readdirSync(world.at('backups/globals'))).toEqual([]);
  });

  test('at WAL archives nothing, so that PostgreSQL keeps the file', () => {
    writeFileSync(world.at('home/segment'), 'wal');
    // Seen by this run alone: PostgreSQL archives at any time, with the configuration that there is.
    const conf = world.at('etc/backup.conf');
    const own = `${readFileSync(conf, 'utf8')}archive_directory='${world.at('backups')}'\n`;
    writeFileSync(`${conf}.own`, own, { mode: 0o644 });
    const script = `mount --bind ${conf}.own ${conf} && exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"`;
    const archive = [world.at('sbin/compta-archive-wal'), world.at('home/segment')];
    const done = spawnSync(
      'unshare',
      ['-m', 'sh', '-c', script, 'own', ...archive, '0000000100000000000000FE'],
      {
        ...{ cwd: world.at('home/data'), encoding: 'utf8' },
        ...world.wrap('zstd', `${fill()}\nexec "$real" "$@"`),
      },
    );
    empty();
    expect(done.status).toBe(28);
    expect(done.stderr).toMatch(/0000000100000000000000FE: compressing failed: .* is full/);
    expect(partials()).toEqual([]);
  });

  test.each([
    ['a fetch', 'rclone', '[[ "$*" != *dump.age* ]]', /fetching \S+\/dump.age failed: .* is full/],
    ['the opening', 'age', '[[ "$1" != --decrypt ]]', /opening dump.age failed: .* is full/],
  ])('at %s is not taken for damage or a wrong identity', (_, program, unless, said) => {
    const done = world.script(
      'compta-restore',
      ['latest', 'compta_books', '--replace=compta_books'],
      {
        input: world.identity,
        ...world.wrap(program, `${unless} || ${fill()}\nexec "$real" "$@"`),
      },
    );
    empty();
    expect(done.code).toBe(28);
    expect(done.stderr).toMatch(said);
    expect(partials()).toEqual([]);
  });

  test.each([
    [
      'before anything is restored',
      'age',
      () => `"$real" "$@"; code=$?; [[ "$1" != --decrypt ]] || ${fill('restore')}; exit $code`,
      /make room first/,
    ],
    [
      'while a cluster is made',
      'jq',
      () => `[[ "$*" != *.locale* ]] || ${fill('restore')}\nexec "$real" "$@"`,
      /making a cluster failed: .* is full/,
    ],
    [
      'before it is filled',
      'jq',
      () => `[[ "$*" != *.roles* ]] || ${fill('restore', 16)}\nexec "$real" "$@"`,
      /restoring failed: .* is full/,
    ],
    [
      'while it is compared',
      'jq',
      () => `[[ "$*" != "--compact-output ." ]] || ${fill('restore')}\nexec "$real" "$@"`,
      /reading what was restored failed: .* is full/,
    ],
  ])('where backups are verified is said as such, %s', (_, program, text, said) => {
    const done = world.script('compta-verify-backup', ['compta_books'], {
      input: world.identity,
      ...world.wrap(program, text()),
    });
    empty('restore');
    expect(done.code).toBe(28);
    expect(words(done)).toEqual([expect.stringMatching(said)]);
    expect(readdirSync(world.at('restore')).filter((name) => name !== '.verify.lock')).toEqual([]);
  });

  test('is seen before anything is dumped when there is surely no room', () => {
    execFileSync('bash', ['-c', fill('backups', 10)]);
    const done = backUp();
    empty();
    expect(done.code).toBe(28);
    expect(words(done)).toEqual([expect.stringContaining('make room first')]);
  });
});

describe('at a remote over the network', () => {
  let gateway: ReturnType<typeof spawn>;
  let proxy: Server;
  let limit = Number.POSITIVE_INFINITY;
  let restore = () => {};
  beforeAll(async () => {
    // An address of its own, where no other connection of this machine takes the port.
    const [address, port] = [`127.85.${process.pid % 250}.1`, 7070];
    mkdirSync(world.at('s3/backups'), { recursive: true });
    gateway = spawn('versitygw', ['--port', `${address}:${port}`, 'posix', world.at('s3')], {
      env: {
        PATH: process.env.PATH,
        ROOT_ACCESS_KEY: 'access',
        ROOT_SECRET_KEY: 'secret-of-the-test',
      },
      stdio: 'ignore',
    });
    // Ends every connection after so many bytes of requests.
    proxy = createServer((client: Socket) => {
      const server = connect(port, address);
      let sent = 0;
      client.on('data', (bytes: Buffer) => {
        sent += bytes.length;
        if (sent > limit) {
          client.destroy();
          server.destroy();
        } else server.write(bytes);
      });
      server.on('data', (bytes: Buffer) => client.write(bytes));
      for (const [one, other] of [
        [client, server],
        [server, client],
      ] as const) {
        one.on('error', () => other.destroy());
        one.on('close', () => other.destroy());
      }
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const { port: front } = proxy.address() as { port: number };
    writeFileSync(
      world.at('etc/rclone.conf'),
      `[store]\ntype = s3\nprovider = Other\naccess_key_id = access\nsecret_access_key = secret-of-the-test\nendpoint = http://127.0.0.1:${front}\nregion = us-east-1\n`,
    );
    restore = world.configure({ remote: 'store:backups/production' });
    await until(() => {
      try {
        execFileSync('bash', ['-c', `exec 3<>/dev/tcp/${address}/${port}`], { stdio: 'ignore' });
        return true;
      } catch {
        return false;
      }
    });
  });
  afterAll(() => {
    restore();
    proxy?.close();
    gateway?.kill();
  });

  /** Without waiting for it in this process, which carries the proxy. */
  async function inBackground(name: string, args: string[], input = ''): Promise<Result> {
    const child = spawn(world.at('sbin', name), args, { env: { PATH: process.env.PATH } });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (text: Buffer) => (stdout += text));
    child.stderr.on('data', (text: Buffer) => (stderr += text));
    child.stdin.end(input);
    const [code] = (await once(child, 'close')) as [number];
    return {
      code,
      stdout,
      stderr,
      json: code === 0 ? JSON.parse(stdout.trim().split('\n').at(-1) ?? '') : {},
    };
  }

  test('an upload that is cut leaves nothing there, and the next run makes up for it', async () => {
    limit = 20_000;
    const cut = await inBackground('compta-backup', ['compta_books', '--listing']);
    limit = Number.POSITIVE_INFINITY;
    expect(cut.code).toBe(69);
    expect(cut.stderr).toMatch(
      /the upload of \S+ failed: it lies in \S+, whole, and the next run uploads it/,
    );
    expect(existsSync(world.at('s3/backups/production/dumps'))).toBe(false);
    const whole = await inBackground('compta-backup', ['compta_books', '--listing']);
    expect(whole).toMatchObject({ code: 0 });
    expect(readdirSync(world.at('s3/backups/production/dumps/compta_books'))).toEqual(
      expect.arrayContaining([
        String(/upload of (\S+) failed/.exec(cut.stderr)?.[1]),
        String(whole.json.name),
      ]),
    );
    const verified = await inBackground('compta-verify-backup', ['compta_books'], world.identity);
    expect(verified).toMatchObject({ code: 0 });
    // The credentials of the remote are in no message.
    expect(cut.stderr + whole.stderr + verified.stderr).not.toContain('secret-of-the-test');
  });
});

describe('a remote copy', () => {
  test('that was cut short is not verified', () => {
    const { name } = backUp().json;
    truncateSync(remoteFile(String(name), 'dump.age'), 1000);
    const done = verify(String(name));
    expect(done.code).toBe(65);
    expect(words(done)).toEqual([
      expect.stringMatching(/dump.age is damaged: 1000 bytes at the remote, \d+ in the manifest/),
    ]);
    // The way out that docs/disaster-recovery.md (7) shows.
    rmSync(world.at('backups/compta_books', `${name}.dump`, 'uploaded'));
    expect(backUp()).toMatchObject({ code: 0 });
    expect(verify(String(name))).toMatchObject({ code: 0 });
  });

  test('that did not arrive as it was sent gets no name there, and the next run sends it again', () => {
    const before = remote();
    const altered = world.wrap(
      'rclone',
      `"$real" "$@" || exit
[[ "$*" != *" copy "* ]] || printf 'altered!' | dd of="$(echo ${world.at('remote/incoming')}/compta_books-*/dump.age)" bs=1 seek=300 conv=notrunc status=none`,
    );
    const done = backUp(altered);
    expect(done.code).toBe(69);
    expect(words(done)).toEqual([expect.stringMatching(/the upload of \S+ failed/)]);
    expect(remote()).toEqual(before);
    const sent = /upload of (\S+) failed/.exec(done.stderr)?.[1] ?? '';
    expect(backUp()).toMatchObject({ code: 0 });
    expect(verify(sent)).toMatchObject({ code: 0 });
  });

  test('with one byte flipped is not verified, nor restored', () => {
    const { name } = backUp().json;
    for (const file of ['dump.age', 'sql.gz.age', 'settings.json.age']) {
      const path = remoteFile(String(name), file);
      const bytes = readFileSync(path);
      const middle = Math.floor(bytes.length / 2);
      bytes[middle] = (bytes[middle] ?? 0) ^ 1;
      writeFileSync(path, bytes);
      const done = verify(String(name));
      expect(done.code).toBe(65);
      expect(words(done)).toEqual([
        expect.stringContaining(`${file} is damaged: its SHA-256 is not the manifest's`),
      ]);
      if (file === 'dump.age') {
        const restored = world.script('compta-restore', [String(name), 'compta_other'], {
          input: world.identity,
        });
        expect(restored.code).toBe(65);
        expect(
          world.sql(
            'postgres',
            "SELECT count(*) FROM pg_database WHERE datname LIKE 'compta_other%'",
          ),
        ).toBe('0');
      }
      bytes[middle] = (bytes[middle] ?? 0) ^ 1;
      writeFileSync(path, bytes);
    }
    expect(verify(String(name))).toMatchObject({ code: 0 });
  });

  test('is not opened by a wrong identity, and not without one', () => {
    const other = execFileSync('age-keygen', { stdio: 'pipe', encoding: 'utf8' });
    const done = verify(good, other);
    expect(done.code).toBe(65);
    expect(words(done)).toEqual([
      expect.stringContaining('the identity is of none of its recipients'),
    ]);
    expect(done.stderr).not.toContain('AGE-SECRET-KEY');
    expect(verify(good, '')).toMatchObject({ code: 64 });
  });

  test('that is dated in the future is refused, and said, until somebody restores it by its name', () => {
    const name = `compta_books-${new Date(Date.now() + 3_600_000 * 5).toISOString().replace(/\.\d+/, '').replaceAll(/[-:]/g, '')}`;
    execFileSync('cp', [
      '-a',
      world.at('remote/dumps/compta_books', good),
      world.at('remote/dumps/compta_books', name),
    ]);
    const done = verify();
    const restore = (...args: string[]) =>
      world.script('compta-restore', args, { input: world.identity });
    const latest = restore('latest', 'compta_books', '--replace=compta_books');
    const named = restore(name, 'compta_ahead');
    rmSync(world.at('remote/dumps/compta_books', name), { recursive: true });
    for (const { code, stderr } of [done, latest]) {
      expect(code).toBe(65);
      expect(stderr).toContain(`${name} is dated in the future`);
    }
    // Of a server that is lost there will be no other one.
    expect(named).toMatchObject({ code: 0 });
    expect(named.stderr).toContain(`${name} is dated in the future`);
    expect(world.sql('compta_ahead', 'SELECT count(*) FROM journal_line')).toBe('20000');
  });
});

test('a verification that is killed leaves a cluster that the next one takes away', async () => {
  const asleep = world.at('home/asleep');
  const running = world.start('compta-verify-backup', ['compta_books'], {
    input: world.identity,
    // Its cluster runs by then.
    ...world.wrap(
      'jq',
      `[[ "$*" != *.roles* ]] || { touch ${asleep}; exec sleep 60; }\nexec "$real" "$@"`,
    ),
  });
  const ended = once(running, 'exit');
  await until(() => existsSync(asleep));
  process.kill(-Number(running.pid), 'SIGKILL');
  await ended;
  const back = world.configure({ wait_seconds: '5' });
  const next = verify();
  back();
  expect(next).toMatchObject({ code: 0 });
  expect(readdirSync(world.at('restore')).filter((name) => name !== '.verify.lock')).toEqual([]);
});

test('a backup here whose manifest cannot be read is named, and keeps no other one from the remote', () => {
  const time = new Date(Date.now() - DAY).toISOString().replace(/\.\d+/, '');
  const cut = `compta_books-${time.replaceAll(/[-:]/g, '')}`;
  const folder = world.at('backups/compta_books', `${cut}.dump`);
  execFileSync('cp', ['-a', world.at('backups/compta_books', `${good}.dump`), folder]);
  rmSync(join(folder, 'uploaded'));
  truncateSync(join(folder, 'manifest.json'), 100);
  const done = backUp();
  rmSync(folder, { recursive: true });
  expect(done.code).toBe(65);
  expect(words(done)).toEqual([
    expect.stringContaining(`${cut}.dump/manifest.json cannot be read, so that this backup is not`),
  ]);
  expect(remote()).not.toContain(cut);
  expect(remote()).toContain(local().at(-1)?.replace('.dump', ''));
});

test('a comparison that could not be made has not found everything equal', () => {
  const done = world.script('compta-verify-backup', ['compta_books'], {
    input: world.identity,
    ...world.wrap('jq', '[[ "$*" != *"select(.name !="* ]] || exit 5\nexec "$real" "$@"'),
  });
  expect(done.code).toBe(1);
  expect(words(done)).toEqual([expect.stringContaining('comparing what was restored failed')]);
});

test('two backups at once are made one after the other, each whole', async () => {
  const before = local().length;
  const runs = [1, 2].map(() => world.start('compta-backup', ['compta_books', '--listing']));
  const codes = await Promise.all(runs.map(async (run) => (await once(run, 'exit'))[0]));
  expect(codes).toEqual([0, 0]);
  expect(local()).toHaveLength(before + 2);
  const back = world.configure({ wait_seconds: '1' });
  const slow = world.start(
    'compta-backup',
    ['compta_books', '--listing'],
    world.wrap(
      'gzip',
      `for _ in {1..600}; do [[ ! -e ${world.at('home/go')} ]] || break; sleep 0.1; done; exec "$real" "$@"`,
    ),
  );
  await until(() => local().some((name) => name.startsWith('.partial.')));
  const third = backUp();
  back();
  writeFileSync(world.at('home/go'), '');
  expect(third.code).toBe(75);
  expect(words(third)).toEqual([expect.stringContaining('another run holds')]);
  expect((await once(slow, 'exit'))[0]).toBe(0);
});

test('what is posted while a backup is made is in neither of its formats, nor in its manifest', () => {
  const psql = `${world.at('postgresql/usr/lib/postgresql/16/bin/psql')} -qX -h ${world.at('home')} -U postgres compta_books`;
  const back = inFront(
    'pg_dump',
    `[[ "$*" == --version ]] || ${psql} >/dev/null <<<"INSERT INTO account VALUES (nextval('receipt'), 'posted meanwhile')"
exec "$real" "$@"`,
  );
  const before = Number(world.sql('compta_books', 'SELECT count(*) FROM account'));
  const done = world.script('compta-backup', ['compta_books']);
  back();
  expect(world.sql('compta_books', 'SELECT count(*) FROM account')).toBe(String(before + 2));
  expect(done.json).toMatchObject({
    proof: 'restored-and-compared',
    tables: { 'public.account': before },
  });
  const sql = execFileSync(
    'bash',
    ['-c', 'age -d -i - "$0" | gzip -d', remoteFile(String(done.json.name), 'sql.gz.age')],
    { input: world.identity, encoding: 'utf8', maxBuffer: 1e9 },
  );
  expect(sql).toContain('PostgreSQL database dump complete');
  expect(sql).not.toContain('posted meanwhile');
  expect(verify(String(done.json.name))).toMatchObject({ code: 0 });
});

test('a week without verification deletes nothing, and verification deletes what it may', () => {
  const aged = (days: number) => {
    const name = `compta_books-${new Date(Date.now() - days * DAY).toISOString().replace(/\.\d+/, '').replaceAll(/[-:]/g, '')}`;
    execFileSync('cp', [
      '-a',
      world.at('remote/dumps/compta_books', good),
      world.at('remote/dumps/compta_books', name),
    ]);
    return name;
  };
  for (const name of remote()) rmSync(remoteFile(name, 'verified.json'), { force: true });
  const old = [200, ...twoDaysOfOneMonth()].map(aged);
  for (const name of [...old, ...[10, 9, 8].map(aged)])
    writeFileSync(remoteFile(name, 'verified.json'), '{}');
  const before = remote();
  // Every day of a week the wrong identity is handed in.
  const wrong = execFileSync('age-keygen', { stdio: 'pipe', encoding: 'utf8' });
  const failing = world.script('compta-verify-backup', ['--all'], { input: wrong });
  expect(failing.code).toBe(1);
  expect(remote()).toEqual(before);
  expect(verify(good)).toMatchObject({ code: 0 });
  expect(world.script('compta-rotate-backups', ['remote'])).toMatchObject({ code: 0 });
  expect(before.filter((name) => !remote().includes(name))).toEqual([old[2]]);
  expect(statSync(remoteFile(good, 'dump.age')).size).toBeGreaterThan(1000);
});
