import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { makeWorld, type World } from './world.ts';

// Seconds on an idle machine; a busy one may take its time.
jest.setTimeout(240_000);

let world: World;
beforeAll(() => {
  world = makeWorld({ settings: "shared_preload_libraries = 'pg_stat_statements'" });
  world.sql('postgres', readFileSync(join(import.meta.dirname, 'books.sql'), 'utf8'));
});
afterAll(() => world.stop());

const remoteOf = (name: unknown) => world.at('remote/dumps/compta_books', String(name));
const manifestOf = (name: unknown) =>
  JSON.parse(readFileSync(join(remoteOf(name), 'manifest.json'), 'utf8'));

/** What a database holds, by the same statement as the scripts', without grants on itself. */
function contents(database: string): string {
  return world
    .sql(database, readFileSync(world.at('lib/contents.sql'), 'utf8'))
    .split('\n')
    .filter((line) => !line.includes('"database"'))
    .join('\n');
}

test('every rendered script passes shellcheck', () => {
  const scripts = readdirSync(world.at('sbin')).map((name) => world.at('sbin', name));
  const checked = [...scripts, world.at('lib/library.sh')];
  expect(checked).toHaveLength(11);
  execFileSync('shellcheck', ['--external-sources', ...checked], { stdio: 'inherit' });
});

test('the weekly look at indexes fails when it could look at none', () => {
  const env = { PGHOST: world.at('etc'), PGUSER: 'postgres' }; // where no server is
  const done = world.script('compta-postgresql-maintenance', [], { env });
  expect(done.code).not.toBe(0);
  expect(done.stderr).toContain('connection to server');
});

test('the weekly look at indexes drops what a rebuild that was cut has left, and no other', () => {
  world.sql('postgres', 'CREATE DATABASE compta_left;');
  world.sql(
    'compta_left',
    `CREATE SCHEMA "the books"; CREATE TABLE "the books".entry (id int);
     CREATE INDEX by_id_ccnew ON "the books".entry (id);
     CREATE INDEX by_id_ccold1 ON "the books".entry (id);
     CREATE INDEX by_id_ccnew2 ON "the books".entry (id); -- a name like any other
     CREATE INDEX by_id ON "the books".entry (id);
     UPDATE pg_index SET indisvalid = false WHERE indrelid = '"the books".entry'::regclass
       AND indexrelid <> '"the books".by_id_ccnew2'::regclass;`,
  );
  const env = { PGHOST: world.at('home'), PGUSER: 'postgres' };
  const done = world.script('compta-postgresql-maintenance', [], { env });
  const left = world.sql(
    'compta_left',
    `SELECT string_agg(indexname, ' ' ORDER BY indexname) FROM pg_indexes WHERE tablename = 'entry';`,
  );
  world.sql('postgres', 'DROP DATABASE compta_left;');
  expect(done).toMatchObject({ code: 0, stderr: '' });
  expect(left.trim()).toBe('by_id by_id_ccnew2');
});

test('node exporter is told what statements of the services cost, and the dead rows of tables', () => {
  world.sql('postgres', 'CREATE ROLE compta_slow_app; CREATE DATABASE compta_slow;');
  world.sql(
    'compta_slow',
    `CREATE EXTENSION pg_stat_statements;
     CREATE TABLE "the ""books""" WITH (autovacuum_enabled = off) AS SELECT generate_series(1, 100) AS id;
     DELETE FROM "the ""books""" WHERE id <= 40;
     SELECT pg_sleep(0.01); -- the administrator's own
     SET ROLE compta_slow_app;
     SELECT pg_sleep(0.6);
     SELECT pg_stat_force_next_flush();`,
  );
  const done = world.script('compta-postgresql-statistics');
  world.sql('postgres', 'DROP DATABASE compta_slow; DROP ROLE compta_slow_app;');
  expect(done).toMatchObject({ code: 0, stderr: '' });

  const told = readFileSync(world.at('metrics/compta_postgresql.prom'), 'utf8');
  execFileSync('promtool', ['check', 'metrics'], { input: told });
  const labels = 'datname="compta_slow",schema="public",table="the \\"books\\""';
  expect(told).toContain(`compta_table_dead_rows{${labels}} 40\n`);
  expect(told).toContain(`compta_table_live_rows{${labels}} 60\n`);
  const slow = [...told.matchAll(/^compta_statement_seconds_total(\{.*\}) (\S+)$/gm)].filter(
    ([, , seconds]) => Number(seconds) >= 0.6,
  );
  expect(slow).toHaveLength(1);
  expect(told).toContain(`compta_statement_calls_total${slow[0]?.[1]} 1\n`);
});

describe('a backup', () => {
  test('is two encrypted formats of one snapshot, and a manifest of all that is in it', () => {
    const done = world.script('compta-backup', ['compta_books']);
    expect(done).toMatchObject({ code: 0 });
    expect(done.json).toMatchObject({
      database: 'compta_books',
      proof: 'restored-and-compared',
      encrypted: true,
      schema_version: '2.1',
      tables: { 'public.account': 3, 'public.Odd "table"': 3, '(large objects)': 1 },
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    const name = String(done.json.name);
    expect(readdirSync(remoteOf(name)).sort()).toEqual([
      'dump.age',
      'manifest.json',
      'settings.json.age',
      'sql.gz.age',
    ]);
    // Which is not encrypted: so it has no value of a setting.
    expect(JSON.stringify(manifestOf(name))).not.toContain('secret');
    expect(manifestOf(name)).toMatchObject({
      versions: { postgresql: expect.stringMatching(/^16\./) },
      sequences: expect.arrayContaining([
        { name: 'public.receipt', cycle: false, from: '1010', to: '1010' },
      ]),
      roles: expect.arrayContaining(['compta_books_app', 'compta_books_owner']),
      settings: expect.arrayContaining([
        expect.objectContaining({ role: null, here: true, parameter: 'compta.stamp' }),
        expect.objectContaining({ role: 'compta_books_app', here: false, parameter: 'work_mem' }),
      ]),
    });
    // Each format opens with either identity, and is the database.
    for (const input of [world.identity, world.offline]) {
      const clear = execFileSync('age', ['-d', '-i', '-', join(remoteOf(name), 'sql.gz.age')], {
        input,
        maxBuffer: 1e9,
      });
      const text = execFileSync('gzip', ['-d'], { input: clear, maxBuffer: 1e9 }).toString();
      expect(text.match(/^\d+\t(411|707|531)\t/gm)).toHaveLength(20_000);
    }
    expect(readFileSync(world.at('metrics/compta_backup_compta_books.prom'), 'utf8')).toMatch(
      /^compta_backup_last_success_timestamp_seconds\{database="compta_books"\} \d+$/m,
    );
  });

  test('of all databases takes the roles along', () => {
    expect(world.script('compta-backup', ['--all'])).toMatchObject({ code: 0 });
    const [name] = readdirSync(world.at('remote/dumps/globals'));
    expect(readdirSync(world.at('remote/dumps/globals', String(name)))).toEqual([
      'globals.sql.age',
      'manifest.json',
    ]);
    // WAL may be on its way at any time.
    const incoming = readdirSync(world.at('remote/incoming'));
    expect(incoming.filter((name) => !/^[0-9A-F]{16}\./.test(name))).toEqual([]);
  });

  test('leaves out what a session has for itself, which nobody else can read', async () => {
    const psql = world.at('postgresql/usr/lib/postgresql/16/bin/psql');
    const argv = ['-XAtq', '-h', world.at('home'), '-U', 'postgres', 'compta_books'];
    const session = spawn(psql, argv, { stdio: ['pipe', 'pipe', 'ignore'] });
    session.stdin.write('CREATE TEMPORARY TABLE draft (id serial); SELECT 1;\n');
    await once(session.stdout, 'data');
    const done = world.script('compta-backup', ['compta_books', '--listing']);
    session.stdin.end();
    expect(done).toMatchObject({ code: 0 });
  });

  test('can be foreseen: whether there is room for it, and a way to the remote', () => {
    const files = () => readdirSync(world.at('backups'), { recursive: true }).sort();
    const before = files();
    const check = () => world.script('compta-backup', ['--all', '--check']);
    expect(check().json).toMatchObject({ check: true, database: 'compta_books' });
    const back = world.configure({ remote: 'nowhere:bucket' });
    const away = check();
    back();
    expect(away.code).toBe(1);
    expect(away.stderr).toContain('the remote cannot be read');
    expect(files()).toEqual(before);
  });

  test.each([
    [
      'one recipient',
      (lines: string[]) =>
        lines.filter((line) => !line.startsWith('age1') || line === lines.at(-2)),
    ],
    [
      'the same one twice',
      (lines: string[]) => lines.map((line) => (line.startsWith('age1') ? lines.at(-2) : line)),
    ],
  ])('is refused with %s', (_, change) => {
    const file = world.at('etc/backup.recipients');
    const before = readFileSync(file, 'utf8');
    writeFileSync(file, change(before.split('\n')).join('\n'));
    const done = world.script('compta-backup', ['compta_books']);
    writeFileSync(file, before);
    expect(done.code).toBe(78);
    expect(done.stderr).toContain('at least two age public keys');
  });

  test('of a database that is not there, or with a wrong word, is refused', () => {
    expect(world.script('compta-backup', ['compta_nothing'])).toMatchObject({ code: 66 });
    expect(world.script('compta-backup', ['books; DROP'])).toMatchObject({ code: 64 });
    expect(world.script('compta-backup', ['compta_books', '--sql'])).toMatchObject({ code: 64 });
  });

  test('without a remote and recipients is in clear, and says what proof it has', () => {
    const recipients = readFileSync(world.at('etc/backup.recipients'), 'utf8');
    writeFileSync(world.at('etc/backup.recipients'), '# none\n');
    const back = world.configure({ remote: '' });
    const done = world.script('compta-backup', ['compta_books']);
    back();
    writeFileSync(world.at('etc/backup.recipients'), recipients);
    expect(done.json).toMatchObject({
      remote: null,
      encrypted: false,
      proof: 'restored-and-compared',
    });
    expect(existsSync(String(done.json.path))).toBe(true);
  });
});

test('a hash is of everything in a row, whatever its columns are called', () => {
  const before = contents('compta_books').split('\n');
  const altered = world.sql(
    'compta_books',
    `BEGIN;
     UPDATE "Odd ""table""" SET t = 'other' WHERE t IS NULL;
     UPDATE journal_line_2025 SET facts = '{}' WHERE id = 1;
     UPDATE account SET label = label || ' ' WHERE code = '411';
     \\i ${world.at('lib/contents.sql')}
     ROLLBACK`,
  );
  const names = altered
    .split('\n')
    .filter((line) => !line.includes('"database"') && !before.includes(line))
    .map((line) => (JSON.parse(line) as { name: string }).name);
  expect(names.sort()).toEqual([
    'public.Odd "table"',
    'public.account',
    'public.journal_line_2025',
  ]);
});

describe('verification', () => {
  test('restores the remote copy elsewhere, compares it, and says how long the way back takes', () => {
    const { name } = world.script('compta-backup', ['compta_books', '--listing']).json;
    const done = world.script('compta-verify-backup', ['compta_books'], { input: world.identity });
    expect(done).toMatchObject({ code: 0 });
    expect(done.json).toMatchObject({
      name,
      schema_version: '2.1',
      rto_seconds: expect.any(Number),
    });
    expect(existsSync(join(remoteOf(name), 'verified.json'))).toBe(true);
    // How old the newest proven backup is: to prove an old one does not make it younger, nor a newer one older.
    const made = (of: unknown) => Date.parse(String(manifestOf(of).time)) / 1000;
    const metric = () =>
      readFileSync(world.at('metrics/compta_backup_verified_compta_books.prom'), 'utf8');
    const value = `compta_backup_last_verified_timestamp_seconds{database="compta_books"} ${made(name)}\n`;
    expect(metric()).toContain(value);
    const [older = ''] = readdirSync(world.at('remote/dumps/compta_books')).sort();
    expect(made(older)).toBeLessThan(made(name));
    const again = world.script('compta-verify-backup', ['compta_books', older], {
      input: world.identity,
    });
    expect(again).toMatchObject({ code: 0 });
    expect(metric()).toContain(value);
    // Neither the identity nor the books stay.
    expect(readdirSync(world.at('restore')).filter((entry) => entry.startsWith('verify.'))).toEqual(
      [],
    );
  });

  test('is as good of a database for which nothing was set', () => {
    world.sql('postgres', 'CREATE DATABASE compta_plain');
    expect(world.script('compta-backup', ['compta_plain', '--listing'])).toMatchObject({ code: 0 });
    const input = world.identity;
    const verified = world.script('compta-verify-backup', ['compta_plain'], { input });
    expect(verified).toMatchObject({ code: 0 });
    const restored = world.script('compta-restore', ['latest', 'compta_plain'], { input });
    expect(restored).toMatchObject({ code: 0 });
  });

  test('is by those whom a backup was made for, also after a recipient was exchanged', () => {
    const file = world.at('etc/backup.recipients');
    const before = readFileSync(file, 'utf8');
    const [former, kept] = [world.identity, world.offline];
    const next = execFileSync('age-keygen', { stdio: 'pipe', encoding: 'utf8' });
    const recipient = (identity: string) => /age1\w+/.exec(identity)?.[0] ?? '';
    const backUp = () =>
      String(world.script('compta-backup', ['compta_books', '--listing']).json.name);
    const older = backUp();
    writeFileSync(file, before.replace(recipient(former), recipient(next)));
    const newer = backUp();
    writeFileSync(file, before);
    const opened = (name: string, input: string) =>
      spawnSync('age', ['-d', '-i', '-', join(remoteOf(name), 'settings.json.age')], { input })
        .status === 0;
    expect([former, kept, next].map((identity) => opened(older, identity))).toEqual([
      true,
      true,
      false,
    ]);
    expect([former, kept, next].map((identity) => opened(newer, identity))).toEqual([
      false,
      true,
      true,
    ]);
    const verified = world.script('compta-verify-backup', ['compta_books', newer], { input: next });
    expect(verified).toMatchObject({ code: 0 });
  });

  test('does not take a remote that cannot be read for an empty one', () => {
    const back = world.configure({ remote: 'nowhere:bucket' });
    const input = world.identity;
    const runs = [
      world.script('compta-verify-backup', ['compta_books'], { input }),
      world.script('compta-verify-backup', ['--check']),
      world.script('compta-pitr', ['latest'], { input }),
    ];
    back();
    for (const { code, stderr } of runs) {
      expect(code).toBe(69);
      expect(stderr).toContain('the remote cannot be read');
      expect(stderr).not.toContain('there is no');
    }
  });

  test('asks every index for every row: one that lacks some is damage, and no proof', () => {
    // Its expression has another value whenever it is asked for.
    world.sql(
      'postgres',
      `CREATE DATABASE compta_unsound;
\\connect compta_unsound
CREATE FUNCTION unsteady(int) RETURNS float8 IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN random(); END';
CREATE TABLE entry AS SELECT generate_series(1, 100) AS id;
CREATE INDEX ON entry (unsteady(id));`,
    );
    const { name } = world.script('compta-backup', ['compta_unsound', '--listing']).json;
    world.sql('postgres', 'DROP DATABASE compta_unsound');
    const done = world.script('compta-verify-backup', ['compta_unsound'], {
      input: world.identity,
    });
    expect(done.code).toBe(65);
    expect(done.stderr).toContain('amcheck found damage in the restored database');
    expect(readdirSync(world.at('remote/dumps/compta_unsound', String(name)))).not.toContain(
      'verified.json',
    );
    rmSync(world.at('remote/dumps/compta_unsound'), { recursive: true });
  });

  /** Changes a manifest at the remote, as if the dump had come out differently, and verifies it. */
  function verifyChanged(changes: [RegExp | string, string][]) {
    const { name } = world.script('compta-backup', ['compta_books', '--listing']).json;
    let text = JSON.stringify(manifestOf(name));
    for (const [from, to] of changes) {
      const changed = text.replace(from, to);
      expect(changed).not.toBe(text);
      text = changed;
    }
    writeFileSync(join(remoteOf(name), 'manifest.json'), text);
    const done = world.script('compta-verify-backup', ['compta_books', String(name)], {
      input: world.identity,
    });
    expect(done.code).toBe(65);
    expect(done.stderr).toContain('is not what its manifest says');
    expect(existsSync(join(remoteOf(name), 'verified.json'))).toBe(false);
    return done.stderr;
  }

  test('names every difference: rows, content, privileges, grants on the database, schema version', () => {
    const said = verifyChanged([
      ['"name":"public.account","rows":3', '"name":"public.account","rows":4'],
      [/("name":"public.journal_line_2025","rows":\d+,"hash":")/, '$17'],
      ['"SELECT to compta_books_app, to pass on"', '"SELECT to compta_books_app"'],
      ['"CONNECT to compta_books_app",', ''],
      ['"value":"2.1"', '"value":"3"'],
    ]);
    for (const name of [
      'account',
      'journal_line_2025',
      'relation public.balance',
      'database',
      'version',
    ]) {
      expect(said).toMatch(
        new RegExp(`manifest .*"${name.includes(' ') ? name : `(public.)?${name}`}"`),
      );
    }
  });

  test('sees a sequence that lies behind, and settings that are not what they were', () => {
    const said = verifyChanged([
      ['"from":"1010","to":"1010"', '"from":"1015","to":"1020"'],
      ['"parameter":"compta.stamp"', '"parameter":"compta.former"'],
      [/("here":false,"parameter":"work_mem","hash":")../, '$1__'],
    ]);
    expect(said).toContain('sequence public.receipt: 1015 to 1020 in the manifest, 1010 restored');
    expect(said).toMatch(/manifest .*"compta.former"/);
    expect(said).toMatch(/restored .*"compta.stamp"/);
    expect(said).toMatch(/manifest .*"compta_books_app","here":false,"parameter":"work_mem"/);
    expect(said).not.toContain('secret');
  });
});

describe('restore', () => {
  let name = '';
  let before = '';
  beforeAll(() => {
    before = contents('compta_books');
    name = String(world.script('compta-backup', ['compta_books', '--listing']).json.name);
    world.sql('compta_books', "DELETE FROM journal_line WHERE id > 100; SELECT nextval('receipt')");
  });

  test('of a database that holds data needs its name twice', () => {
    const done = world.script('compta-restore', ['latest', 'compta_books'], {
      input: world.identity,
    });
    expect(done.code).toBe(73);
    expect(done.stderr).toContain('say --replace=compta_books');
    const wrong = world.script(
      'compta-restore',
      ['latest', 'compta_books', '--replace=compta_auth'],
      { input: world.identity },
    );
    expect(wrong.code).toBe(73);
  });

  test('from the remote puts everything back and sets aside what was there', () => {
    const grants = () =>
      world.sql(
        'postgres',
        `SELECT pg_get_userbyid(datdba), aclexplode(datacl) FROM pg_database
         WHERE datname = 'compta_books' ORDER BY 2`,
      );
    const granted = grants();
    const damaged = contents('compta_books');
    const done = world.script('compta-restore', [name, 'compta_books', '--replace=compta_books'], {
      input: world.identity,
    });
    expect(done).toMatchObject({ code: 0 });
    expect(done.json).toMatchObject({
      restored: name,
      previous: expect.stringMatching(/^compta_books_before_/),
    });
    expect(contents('compta_books')).toBe(before);
    expect(grants()).toBe(granted);
    expect(world.sql('compta_books', "SELECT nextval('receipt')")).toBe('1010');
    expect(contents(String(done.json.previous))).toBe(damaged);
  });

  test('takes the last one made until a time, into a database that is empty', () => {
    world.sql('postgres', 'CREATE DATABASE compta_empty');
    const until = manifestOf(name).time as string;
    world.script('compta-backup', ['compta_books', '--listing']);
    const none = world.script(
      'compta-restore',
      ['until=2020-01-01', 'compta_books', '--replace=compta_books'],
      { input: world.identity },
    );
    expect(none).toMatchObject({ code: 66 });
    const done = world.script('compta-restore', [name, 'compta_empty'], { input: world.identity });
    expect(done.json).toMatchObject({ restored: name });
    expect(contents('compta_empty')).toBe(before);
    const again = world.script(
      'compta-restore',
      [`until=${until}`, 'compta_books', '--replace=compta_books'],
      { input: world.identity },
    );
    expect(again.json).toMatchObject({ restored: name });
  });

  test('of a dump on this server needs no identity', () => {
    const { path } = world.script('compta-backup', ['compta_books', '--listing']).json;
    const done = world.script('compta-restore', [String(path), 'compta_copy']);
    expect(done).toMatchObject({ code: 0 });
    expect(contents('compta_copy')).toBe(contents('compta_books'));
  });

  test('names the roles that it lacks before it begins, and is whole once they are made as backed up', () => {
    world.sql(
      'compta_books',
      `CREATE ROLE compta_audit;
       CREATE ROLE compta_auditor LOGIN PASSWORD 'of the test';
       GRANT compta_audit TO compta_auditor;
       GRANT SELECT ON account TO compta_audit, compta_auditor`,
    );
    const before = contents('compta_books');
    expect(world.script('compta-backup', ['--globals'])).toMatchObject({ code: 0 });
    const { name } = world.script('compta-backup', ['compta_books', '--listing']).json;
    const roles = 'compta_auditor, compta_audit';
    world.sql('compta_books', `DROP OWNED BY ${roles}; DROP ROLE ${roles}`);
    const restore = () =>
      world.script('compta-restore', [String(name), 'compta_audited'], { input: world.identity });
    const refused = restore();
    expect(refused.code).toBe(66);
    expect(refused.stderr).toContain('are not on this server: compta_audit, compta_auditor. Make');

    // As the procedure for a lost server has it.
    const newest = readdirSync(world.at('remote/dumps/globals')).sort().at(-1) ?? '';
    const globals = execFileSync(
      'age',
      ['-d', '-i', '-', world.at('remote/dumps/globals', newest, 'globals.sql.age')],
      { input: world.identity, encoding: 'utf8' },
    );
    const missing = /^(CREATE|ALTER) ROLE compta_audit(or)?\b|^GRANT .* TO compta_audit(or)?\b/;
    world.sql(
      'postgres',
      globals
        .split('\n')
        .filter((line) => missing.test(line))
        .join('\n'),
    );
    expect(restore()).toMatchObject({ code: 0 });
    expect(contents('compta_audited')).toBe(before);
    expect(
      world.sql('postgres', "SELECT pg_has_role('compta_auditor', 'compta_audit', 'MEMBER')"),
    ).toBe('t');
  });

  test('puts back what was set for the database and its roles; what the server has set since stays', () => {
    const settings = (where: string) =>
      world
        .sql(
          'postgres',
          `SELECT coalesce(r.rolname, 'everybody'), unnest(s.setconfig) FROM pg_db_role_setting AS s
           LEFT JOIN pg_database AS d ON d.oid = s.setdatabase LEFT JOIN pg_roles AS r ON r.oid = s.setrole
           WHERE ${where} ORDER BY 1, 2`,
        )
        .split('\n');
    const ofDatabase = (name: string) => settings(`d.datname = '${name}'`);
    const ofRoles = () => settings("s.setdatabase = 0 AND r.rolname LIKE 'compta_books_%'");
    const before = [
      'compta_books_app|statement_timeout=30s',
      "everybody|compta.stamp=it's a \\ secret",
      'everybody|search_path="$user", public, "Grand livre"',
    ];
    expect(ofDatabase('compta_books')).toEqual(before);
    const { path } = world.script('compta-backup', ['compta_books', '--listing']).json;
    world.sql(
      'postgres',
      `ALTER DATABASE compta_books RESET ALL;
       ALTER ROLE compta_books_app RESET ALL;
       ALTER ROLE compta_books_owner SET lock_timeout = '9s'`,
    );
    // To look into a backup changes nothing for those who work.
    const look = world.script('compta-restore', [String(path), 'compta_look']);
    expect(look).toMatchObject({ code: 0 });
    expect(ofDatabase('compta_look')).toEqual(before);
    expect(ofRoles()).toEqual(['compta_books_owner|lock_timeout=9s']);

    const replace = ['compta_books', '--replace=compta_books'];
    const done = world.script('compta-restore', [String(path), ...replace]);
    expect(done).toMatchObject({ code: 0 });
    expect(ofDatabase('compta_books')).toEqual(before);
    expect(ofRoles()).toEqual([
      'compta_books_app|work_mem=8MB',
      'compta_books_owner|lock_timeout=9s',
    ]);
    expect(done.stderr).toContain('the role compta_books_owner has another lock_timeout');
    expect(look.stderr + done.stderr).not.toContain('secret');
  });
});
