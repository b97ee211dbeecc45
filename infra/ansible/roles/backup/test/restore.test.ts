import { execFileSync, type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { startServers } from '../../../../../action-db-migrate/test/servers.ts';
import { historyIn } from '../../../../../lib/migration/drill.ts';
import { makeWorld, type World } from './world.ts';

// Seconds on an idle machine; a busy one may take its time.
jest.setTimeout(240_000);

const infra = join(import.meta.dirname, '../../../..');
let world: World;
let path = '';
beforeAll(() => {
  world = makeWorld();
  world.sql('postgres', readFileSync(join(import.meta.dirname, 'books.sql'), 'utf8'));
  path = String(world.script('compta-backup', ['compta_books', '--listing']).json.path);
});
afterAll(() => world.stop());

const lines = () => world.sql('compta_books', 'SELECT count(*) FROM journal_line');
const databases = (like: string) =>
  world.sql('postgres', `SELECT datname FROM pg_database WHERE datname LIKE '${like}' ORDER BY 1`);
const restore = () =>
  world.script('compta-restore', [path, 'compta_books', '--replace=compta_books']);

async function until(condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 60_000; !condition(); await pause(50)) {
    if (Date.now() > end) throw new Error('it did not come to that within a minute');
  }
}

describe('a restore', () => {
  test('that is killed leaves the database alone, and nothing that the next one does not clear away', async () => {
    world.sql('compta_books', 'DELETE FROM journal_line WHERE id = 1');
    const running = world.start(
      'compta-restore',
      [path, 'compta_books', '--replace=compta_books'],
      // After the restore, before the comparison.
      world.wrap('jq', '[[ "$*" != *"compact-output ."* ]] || sleep 60\nexec "$real" "$@"'),
    );
    const ended = once(running, 'exit');
    await until(() => databases('compta_books_restored_%') !== '');
    await pause(500);
    process.kill(-Number(running.pid), 'SIGKILL');
    await ended;
    expect(lines()).toBe('19999');
    expect(restore()).toMatchObject({ code: 0 });
    expect(lines()).toBe('20000');
    expect(databases('compta_books_restored_%')).toBe('');
    expect(readdirSync(world.at('backups')).filter((name) => /^\.partial/.test(name))).toEqual([]);
  });

  test('of another database takes the place of none that has data, though its name is said twice', () => {
    world.sql(
      'postgres',
      'CREATE DATABASE compta_payroll;\n\\connect compta_payroll\nCREATE TABLE salary AS SELECT 5 AS amount;',
    );
    const replace = (backup: string) =>
      world.script('compta-restore', [backup, 'compta_payroll', '--replace=compta_payroll'], {
        input: world.identity,
      });
    // Here, and at the remote.
    const name = basename(path, '.dump');
    for (const done of [path, name].map(replace)) {
      expect(done.code).toBe(64);
      expect(done.stderr).toContain(
        `${name} is a backup of compta_books, and compta_payroll holds data`,
      );
    }
    expect(world.sql('compta_payroll', 'SELECT amount FROM salary')).toBe('5');
    world.sql('compta_payroll', 'DROP TABLE salary');
    expect(replace(path)).toMatchObject({ code: 0 });
    expect(world.sql('compta_payroll', 'SELECT count(*) FROM journal_line')).toBe('20000');
  });

  test('that is cut in its swap leaves a database that a backup misses by name, and the next one opens', async () => {
    const closed = () =>
      world.sql(
        'postgres',
        "SELECT datname FROM pg_database WHERE NOT datallowconn AND datname <> 'template0'",
      );
    const running = world.start('compta-restore', [path, 'compta_books', '--replace=compta_books']);
    const ended = once(running, 'exit');
    await until(() => closed() === 'compta_books');
    process.kill(-Number(running.pid), 'SIGKILL');
    await ended;
    const missed = world.script('compta-backup', ['--all', '--check']);
    expect(missed.code).toBe(1);
    expect(missed.stderr).toMatch(/compta_books takes no connections.*\n.*compta_books: FAILED/);
    // A cut a moment later leaves the one that was set aside so.
    const aside = databases('compta_books_before_%').split('\n').at(-1);
    world.sql('postgres', `ALTER DATABASE ${aside} ALLOW_CONNECTIONS false`);
    expect(world.script('compta-restore', [path, 'compta_books']).code).toBe(73);
    expect(closed()).toBe('');
    expect(lines()).toBe('20000');
  });

  test('that cannot end a session gives up, and the database is open as before', async () => {
    const psql = world.at('postgresql/usr/lib/postgresql/16/bin/psql');
    const argv = ['-XAtq', '-h', world.at('home'), '-U', 'postgres', 'compta_books'];
    const session = spawn(psql, argv, { stdio: ['pipe', 'pipe', 'ignore'] });
    session.stdin.write('SELECT pg_backend_pid();\n');
    const pid = Number((await once(session.stdout, 'data'))[0]);
    process.kill(pid, 'SIGSTOP');
    const running = world.start('compta-restore', [path, 'compta_books', '--replace=compta_books']);
    const ended = once(running, 'exit');
    let said = '';
    running.stderr?.on('data', (text: Buffer) => (said += text));
    await until(() => said.includes('compta_books" is being accessed by other users'));
    process.kill(pid, 'SIGCONT');
    session.stdin.end();
    expect((await ended)[0]).not.toBe(0);
    expect(lines()).toBe('20000');
    expect(databases('compta_books_restored_%')).toBe('');
  });

  test('into a database that another one fills meanwhile is refused: people may post there already', async () => {
    world.sql('postgres', 'CREATE DATABASE compta_twice');
    const first = world.start(
      'compta-restore',
      [path, 'compta_twice'],
      world.wrap('jq', '[[ "$*" != *"compact-output ."* ]] || sleep 1\nexec "$real" "$@"'),
    );
    const ended = once(first, 'exit');
    await until(() => databases('compta_twice_restored_%') !== '');
    const second = world.script('compta-restore', [path, 'compta_twice']);
    expect((await ended)[0]).toBe(0);
    expect(second.code).toBe(73);
    expect(databases('compta_twice%')).toMatch(/^compta_twice\ncompta_twice_before_\d+$/);
  });

  test('sorts texts as the database did that was backed up, not as the server does', () => {
    world.sql('postgres', "CREATE DATABASE compta_sorted TEMPLATE template0 LOCALE 'C'");
    const back = world.configure({ remote: '' });
    const backup = world.script('compta-backup', ['compta_sorted', '--listing']);
    back();
    // One that was made before settings were taken along: it still opens.
    const path = String(backup.json.path);
    rmSync(join(path, 'settings.json'));
    const about = JSON.parse(readFileSync(join(path, 'manifest.json'), 'utf8'));
    const { settings, ...former } = { ...about, plain: { dump: about.plain.dump } };
    expect(settings).toBeDefined();
    writeFileSync(join(path, 'manifest.json'), JSON.stringify(former));
    const done = world.script('compta-restore', [path, 'compta_sorted_again']);
    expect(done).toMatchObject({ code: 0 });
    expect(
      world.sql(
        'postgres',
        "SELECT DISTINCT datcollate || datctype FROM pg_database WHERE datname LIKE 'compta_sorted%'",
      ),
    ).toBe('CC');
  });

  test('for which there is no room changes nothing', () => {
    const manifest = readFileSync(join(path, 'manifest.json'), 'utf8');
    writeFileSync(
      join(path, 'manifest.json'),
      JSON.stringify({ ...JSON.parse(manifest), database_bytes: 2 ** 52 }),
    );
    const done = restore();
    writeFileSync(join(path, 'manifest.json'), manifest);
    expect(done.code).toBe(28);
    expect(done.stderr).toMatch(
      /compta_books: \d+ bytes free in \S+, and 4503599627370496 may be needed/,
    );
    expect(lines()).toBe('20000');
  });

  test('that fails shows no row of the books', () => {
    // The function finds its table by the search path, which a restore empties.
    world.sql(
      'postgres',
      `CREATE DATABASE compta_trap;
\\connect compta_trap
CREATE TABLE ceiling (most int);
INSERT INTO ceiling VALUES (10);
CREATE FUNCTION below(int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT $1 < most FROM ceiling); END';
CREATE TABLE salary (who text, amount int CHECK (below(amount)));
INSERT INTO salary VALUES (E'Amira\\nBen Salah', 5);`,
    );
    const back = world.configure({ remote: '' });
    const backup = world.script('compta-backup', ['compta_trap', '--listing']);
    back();
    const done = world.script('compta-restore', [String(backup.json.path), 'compta_copy']);
    expect(done.code).toBe(1);
    expect(done.stderr).toContain('relation "ceiling" does not exist');
    expect(done.stderr).not.toMatch(/Amira|Ben Salah/);
    expect(databases('compta_copy%')).toBe('');
  });
});

describe('by playbook', () => {
  let identity = '';
  let inventory = '';
  beforeAll(() => {
    identity = world.at('identity.txt');
    inventory = world.at('hosts.json');
    writeFileSync(identity, world.identity, { mode: 0o600 });
    const host = { ansible_connection: 'local', ansible_become: false, compta_environment: 'test' };
    writeFileSync(
      inventory,
      JSON.stringify({
        database: { hosts: { 'db-1': host } },
        restore: { hosts: { 'restore-1': host } },
      }),
    );
  });

  /** On a host whose /usr/local/sbin is this world's. */
  function play(name: string, variables: Record<string, string>): SpawnSyncReturns<string> {
    const own = `mount --bind ${world.at('sbin')} /usr/local/sbin && exec "$@"`;
    const argv = ['ansible-playbook', '--inventory', inventory, `playbooks/${name}`];
    const extra = ['--extra-vars', JSON.stringify(variables)];
    return spawnSync('unshare', ['-m', 'sh', '-c', own, 'own', ...argv, ...extra], {
      cwd: join(import.meta.dirname, '../../..'),
      encoding: 'utf8',
    });
  }

  test('a backup is made, and proven from the remote', () => {
    const done = play('backup.yml', {
      backup_database: 'compta_books',
      backup_identity_file: identity,
      restore_drill_report: world.at('report.json'),
    });
    expect({ ...done, output: [] }).toMatchObject({ status: 0 });
    const newest = readdirSync(world.at('remote/dumps/compta_books')).sort().at(-1) ?? '';
    expect(readdirSync(world.at('remote/dumps/compta_books', newest))).toContain('verified.json');
    expect(done.stdout).not.toContain('AGE-SECRET-KEY');
    const summary = execFileSync(
      'infra/scripts/backup/drill-summary.sh',
      [world.at('report.json')],
      {
        encoding: 'utf8',
      },
    );
    expect(summary).toMatch(/^### ✅ Restore drill of test\n/);
    expect(summary).toMatch(/^\| compta_books \| compta_books-\S+ \| \d+ \| \d+ s \|/m);
    // And the history of the schema, for `compta migrate validate`.
    expect(historyIn(readFileSync(world.at('report.json'), 'utf8'), 'compta_books')).toEqual({
      backup: newest,
      entries: [
        expect.objectContaining({ version: '1', script: 'V1__journal.sql', checksum: 17 }),
        expect.objectContaining({ version: '2.1', success: true }),
      ],
    });
  });

  test('the newest one at the remote is put back, after its name was said twice', () => {
    world.sql('compta_books', 'DELETE FROM journal_line WHERE id = 1');
    const wanted = { restore_database: 'compta_books', backup_identity_file: identity };
    const refused = play('restore.yml', wanted);
    expect(refused.status).toBe(2);
    expect(refused.stdout).toMatch(/compta_books holds data .* say\s+--replace=compta_books/s);
    expect(lines()).toBe('19999');
    const done = play('restore.yml', { ...wanted, restore_confirm: 'compta_books' });
    expect({ ...done, output: [] }).toMatchObject({ status: 0 });
    expect(lines()).toBe('20000');
    expect(databases('compta_books_before_%')).not.toBe('');
    expect(refused.stdout + done.stdout + done.stderr).not.toContain('AGE-SECRET-KEY');
  });
});

describe('by script', () => {
  let tree = '';
  beforeAll(() => {
    // What a person has checked out, with an environment of one host that is this one.
    tree = world.at('tree');
    for (const name of ['scripts/backup', 'ansible/playbooks', 'ansible/ansible.cfg']) {
      cpSync(join(infra, name), join(tree, name), { recursive: true });
    }
    const host = { ansible_connection: 'local', ansible_become: false, compta_environment: 'test' };
    mkdirSync(join(tree, 'ansible/inventories/staging'), { recursive: true });
    writeFileSync(
      join(tree, 'ansible/inventories/staging/hosts.json'),
      JSON.stringify({
        database: { hosts: { 'db-1': host } },
        restore: { hosts: { 'db-1': host } },
        application: { hosts: { 'app-1': host, 'app-2': host } },
      }),
    );
    symlinkSync(join(infra, '../cli'), world.at('cli'));
    writeFileSync(world.at('identity.txt'), `# of the test\n${world.identity}`, { mode: 0o600 });
  });

  const type = (script: string, ...argv: string[]) => typeWith({}, script, ...argv);
  /** Without waiting for it in this process, which carries the servers of the lease. */
  async function typeWith(env: NodeJS.ProcessEnv, script: string, ...argv: string[]) {
    const own = `mount --bind ${world.at('sbin')} /usr/local/sbin && exec "$@"`;
    const child = spawn(
      'unshare',
      ['-m', 'sh', '-c', own, 'own', join(tree, 'scripts/backup', script), ...argv],
      { cwd: world.folder, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text: Buffer) => (said += text));
    }
    const [status] = await once(child, 'close');
    return { status, said };
  }
  /** Everything that a backup or a verification would change; WAL comes to the remote at any time. */
  const state = () =>
    ['backups', 'remote/dumps', 'restore'].map((place) =>
      readdirSync(world.at(place), { recursive: true }).sort(),
    );

  test('a dry run says what would be backed up and proven, and changes nothing', async () => {
    const before = state();
    const backup = await type('backup-db.sh', 'staging', '--dry-run');
    expect(backup).toMatchObject({ status: 0 });
    expect(backup.said).toMatch(/check\W+true.*database\W+compta_books/s);
    const verification = await type('verify-backup.sh', 'staging', 'identity.txt', '--dry-run');
    expect(verification).toMatchObject({ status: 0 });
    expect(verification.said).toMatch(/check\W+true.*name\W+compta_books-\d{8}T/s);
    expect(state()).toEqual(before);
  });

  test('one database is backed up, and then proven', async () => {
    const backup = await type('backup-db.sh', 'staging', 'compta_books');
    expect(backup).toMatchObject({ status: 0 });
    expect(backup.said).toContain('restored-and-compared');
    const newest = readdirSync(world.at('remote/dumps/compta_books')).sort().at(-1) ?? '';
    const verification = await type('verify-backup.sh', 'staging', 'identity.txt');
    expect(verification).toMatchObject({ status: 0 });
    expect(readdirSync(world.at('remote/dumps/compta_books', newest))).toContain('verified.json');
    expect(verification.said).not.toContain('AGE-SECRET-KEY');
  });

  test('the newest one is put back under the release lease, which is free again then', async () => {
    const bin = world.at('postgresql/usr/lib/postgresql/16/bin');
    const program = (name: string) => join(bin, name);
    const servers = await startServers({ port: 5432, socket: world.at('home'), program });
    try {
      world.sql('compta_books', 'DELETE FROM journal_line WHERE id = 1');
      const done = await typeWith(
        { COMPTA_TERRAFORM_OUTPUTS: servers.outputs, COMPTA_SSH_KEY: servers.privateKey },
        'restore-db.sh',
        ...['staging', 'compta_books', 'latest', 'compta_books'],
        ...['--extra-vars', `backup_identity_file=${world.at('identity.txt')}`],
      );
      expect(done).toMatchObject({ status: 0 });
      expect(lines()).toBe('20000');
      for (const host of ['app-1', 'app-2']) {
        expect(servers.file(host, 'audit.log')).toContain('restore of compta_books from latest');
        expect(JSON.parse(servers.file(host, 'lease.json'))).toMatchObject({ expires: 0 });
      }
      expect(done.said).not.toMatch(/AGE-SECRET-KEY|PRIVATE KEY/);
    } finally {
      await servers.close();
    }
  });

  test.each([
    ['backup-db.sh', ['moon'], /no environment moon/],
    ['backup-db.sh', ['staging', 'a;b'], /'a;b' is not the name of a database/],
    ['backup-db.sh', ['staging', 'compta_nothing'], /there is no database compta_nothing/],
    ['verify-backup.sh', ['staging'], /give the file that has an age identity/],
    ['verify-backup.sh', ['staging', 'hosts.json'], /hosts.json has no age identity/],
    ['verify-backup.sh', ['moon', 'identity.txt'], /no environment moon/],
  ])('%s %j is refused', async (script, argv, message) => {
    const { status, said } = await type(script, ...argv);
    expect(status).not.toBe(0);
    expect(said).toMatch(message);
  });
});
