import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, jest, test } from '@jest/globals';
import { Database } from '../../lib/migration/database.ts';
import { carryOut } from '../../lib/migration/migration.ts';
import { reach } from '../../lib/migration/reach.ts';
import type { Report } from '../../lib/migration/report.ts';
import { DEFAULTS, type Request } from '../../lib/migration/request.ts';
import { summary } from '../../lib/migration/summary.ts';
import { takeTurn } from '../../lib/migration/turn.ts';
import { inventoryFrom } from '../../lib/release/inputs.ts';
import { type Postgres, startPostgres } from './postgres.ts';
import { SERVICE, type Servers, startServers } from './servers.ts';

const OWNER = 'compta_books_owner';
let postgres: Postgres;
let servers: Servers;
let temp: string;
/** A database of its own for each test. */
let database: string;
let count = 0;
let said: string[] = [];

/** Each starts a few virtual machines of Java. */
jest.setTimeout(900_000);

const FIRST = 'CREATE TABLE entry (id int PRIMARY KEY, label text, amount int);';
const TEMPLATE = 'compta_template';

/** A first release, made once: two entries. Each test has a copy, and a folder with its script. */
beforeAll(async () => {
  postgres = startPostgres(18434);
  servers = await startServers(postgres);
  await postgres.database.query('postgres', `CREATE ROLE ${OWNER};`);
  await postgres.database.query('postgres', `CREATE DATABASE ${TEMPLATE} OWNER ${OWNER};`);
  database = TEMPLATE;
  temp = mkdtempSync(join(tmpdir(), 'compta-migration-'));
  mkdirSync(join(temp, 'scripts'));
  write('V1__books.sql', FIRST);
  expect(await migrate()).toMatchObject({ problems: [], before: 'none', after: '1' });
  await rows(`INSERT INTO entry VALUES (1, 'one', 10), (2, 'two', 20);`);
});
afterAll(async () => {
  await servers?.close();
  postgres?.stop();
});
beforeEach(async () => {
  count += 1;
  database = `compta_books${count}`;
  temp = mkdtempSync(join(tmpdir(), 'compta-migration-'));
  mkdirSync(join(temp, 'scripts'));
  write('V1__books.sql', FIRST);
  said = [];
  await postgres.database.query(
    'postgres',
    `CREATE DATABASE ${database} TEMPLATE ${TEMPLATE} OWNER ${OWNER};`,
  );
});
afterEach(() => rmSync(temp, { recursive: true }));

const rows = (sql: string) => postgres.database.query(database, sql);
const write = (name: string, sql: string, header = '-- compta: expand\n') =>
  writeFileSync(join(temp, 'scripts', name), header + sql);
const annotations: { message: string; file?: string; startLine?: number }[] = [];

function migrate(changes: Partial<Request> = {}): Promise<Report> {
  annotations.length = 0;
  const request: Request = {
    ...DEFAULTS,
    command: 'migrate',
    scripts: { from: 'folder', path: join(temp, 'scripts') },
    database,
    owner: OWNER,
    service: SERVICE,
    port: postgres.port,
    dryRun: false,
    rehearse: false,
    backup: false,
    backupPath: undefined,
    identity: undefined,
    backupDirectory: servers.backups,
    statements: { lockMs: 300, statementMs: 30_000 },
    limits: { ...DEFAULTS.limits, freeBytes: 0 },
    leaseMs: 60_000,
    confirmed: '',
    ...changes,
  };
  return reach(inventoryFrom(servers.outputs), servers.privateKey, temp, (places) =>
    carryOut(request, {
      ...places,
      workspace: temp,
      env: process.env,
      cancelled: new AbortController().signal,
      by: 'somebody',
      run: 'https://ci.example/runs/42',
      say: (line) => said.push(line),
      mask: () => {},
      annotate: (message, at) => annotations.push({ message, ...at }),
    }),
  );
}

test('a migration begins with a backup that was restored and compared, and ends with a look', async () => {
  write('V2__debit.sql', 'ALTER TABLE entry ADD debit bigint;');
  write(
    'V3__positive.sql',
    'ALTER TABLE entry ADD CONSTRAINT positive CHECK (amount > 0) NOT VALID;',
  );
  const report = await migrate({ backup: true });
  expect(report).toMatchObject({ problems: [], before: '1', after: '3' });
  expect(report.applied.map(({ version }) => version)).toEqual(['2', '3']);
  expect(report.backup).toMatchObject({ proof: 'restored-and-compared', database });
  expect(report.backup?.tables).toMatchObject({ 'public.entry': 2 });
  expect(report.restorePoint?.name).toMatch(new RegExp(`Z_before_${database}_1$`));
  expect(report.touched).toEqual([
    {
      ...{ table: 'public.entry', rowsBefore: 2, rowsAfter: 2, columns: 4 },
      notValid: ['positive'],
    },
  ]);
  expect(report.remarks).toEqual([
    'positive of public.entry holds for new rows only: ' +
      'ALTER TABLE public.entry VALIDATE CONSTRAINT positive;',
  ]);
  const text = summary(report);
  expect(text).toContain(`✅ ${database}: 2 scripts applied, schema 1 → 3`);
  expect(text).toContain('restored and compared');
  expect(JSON.parse(servers.file('app-1', 'lease.json'))).toMatchObject({
    owner: 'somebody',
    expires: 0,
  });
  // What was made within the hour is as good for the next one.
  write('V4__credit.sql', 'ALTER TABLE entry ADD credit bigint;');
  const next = await migrate({ backup: true, backupPath: report.backup?.path });
  expect(next).toMatchObject({ problems: [], backup: { path: report.backup?.path } });
  expect(readdirSync(join(servers.backups, database)).filter(isDump)).toHaveLength(1);

  // What lies at the remote is put back under the same lease, with an identity that no line shows.
  const { token } = JSON.parse(servers.file('app-1', 'lease.json'));
  const back = await migrate({
    ...{ command: 'restore', scripts: undefined, confirmed: database },
    ...{ backupPath: 'latest', identity: 'AGE-SECRET-KEY-1PLANTED\n' },
  });
  expect(back).toMatchObject({ problems: [], restored: { previous: `${database}_before` } });
  expect(summary(back)).toMatch(new RegExp(`Restored.* \`${database}-\\d{8}T`));
  expect(said.join() + JSON.stringify(back)).not.toContain('PLANTED');
  expect(JSON.parse(servers.file('app-1', 'lease.json')).token).toBeGreaterThan(token);
});

test('nothing pending: no backup, no lease, no question to the application servers', async () => {
  const lease = servers.file('app-1', 'lease.json');
  const report = await migrate({ backup: true, rehearse: true });
  expect(report).toMatchObject({ problems: [], pending: [], checks: [], before: '1', after: '1' });
  expect(report.backup).toBeUndefined();
  expect(servers.file('app-1', 'lease.json')).toBe(lease);
  expect(summary(report)).toBe(`### ➖ ${database}: schema 1 is current`);
});

test('a dry run rehearses on a copy of the real data and leaves the database alone', async () => {
  write(
    'V2__amount.sql',
    'ALTER TABLE entry ALTER COLUMN amount SET DEFAULT 0; SELECT pg_sleep(2);',
  );
  write('V3__label.sql', 'CREATE INDEX CONCURRENTLY entry_label ON entry (label);');
  write('V4__lines.sql', 'CREATE TABLE line (id int PRIMARY KEY, entry int REFERENCES entry);');
  const report = await migrate({ dryRun: true, rehearse: true });
  expect(report).toMatchObject({ problems: [], before: '1', after: '1', applied: [] });
  const [amount, label, lines] = report.rehearsal?.scripts ?? [];
  expect(amount).toMatchObject({
    file: 'V2__amount.sql',
    locks: [{ table: 'entry', mode: 'AccessExclusiveLock', blocks: 'reads and writes' }],
  });
  expect(amount?.milliseconds).toBeGreaterThan(2000);
  expect(amount?.locks[0]?.heldMs).toBeGreaterThan(500);
  expect(label).toMatchObject({ file: 'V3__label.sql' });
  expect(lines?.locks).toMatchObject([
    { table: 'entry', mode: 'ShareRowExclusiveLock', blocks: 'writes' },
  ]);
  expect(summary(report)).toMatch(
    /\| V2__amount\.sql \| \d+\.\d s \| entry: AccessExclusive \| \d+\.\d s \| reads and writes \|/,
  );
  expect(await rows(`SELECT to_regclass('line') IS NULL;`)).toEqual([['t']]);
  expect(await rows(`SELECT datname FROM pg_database WHERE datname LIKE '%rehearsal%';`)).toEqual(
    [],
  );
  // There was no backup yet, so it made one; the next dry run takes that.
  expect(report.backup?.tables).toMatchObject({ 'public.entry': 2 });
  await rows('DROP TABLE entry CASCADE;');
  write('V2__amount.sql', 'ALTER TABLE entry ALTER COLUMN amount SET DEFAULT 0;');
  for (const file of ['V3__label.sql', 'V4__lines.sql']) rmSync(join(temp, 'scripts', file));
  const again = await migrate({ dryRun: true, rehearse: true });
  expect(again).toMatchObject({ problems: [], backup: { path: report.backup?.path } });
});

test('a script that fails on the copy never reaches the database', async () => {
  write('V2__twins.sql', 'UPDATE entry SET amount = 0; CREATE UNIQUE INDEX one ON entry (amount);');
  const report = await migrate({ rehearse: true });
  expect(report.problems).toEqual([
    expect.stringMatching(/^The rehearsal on a copy .* was not touched\.\nCaused by: Flyway: .*/),
  ]);
  expect(report.problems[0]).toContain('could not create unique index');
  expect(await rows('SELECT sum(amount) FROM entry;')).toEqual([['30']]);
  expect(await rows(`SELECT datname FROM pg_database WHERE datname LIKE '%rehearsal%';`)).toEqual(
    [],
  );
});

test('a script must say what it does to the schema, and is held to it on the line', async () => {
  write('V2__silent.sql', 'ALTER TABLE entry ADD x int;', '');
  expect((await migrate()).problems).toEqual([
    expect.stringMatching(/^Nothing was changed\. V2__silent\.sql does not say .*: begin it with/),
  ]);
  write('V2__silent.sql', '\nALTER TABLE entry\n  DROP COLUMN label;\n');
  const report = await migrate();
  expect(report.problems).toEqual([
    expect.stringMatching(/takes something away:\nV2__silent\.sql:4: ban-drop-column: /),
  ]);
  expect(annotations).toContainEqual(
    expect.objectContaining({ file: 'V2__silent.sql', startLine: 4, title: 'ban-drop-column' }),
  );
  write(
    'V2__silent.sql',
    'UPDATE entry SET amount = amount + 1;\nCREATE INDEX CONCURRENTLY label ON entry (label);',
  );
  expect((await migrate()).problems).toEqual([
    expect.stringMatching(/^Nothing was changed\. V2__silent\.sql:2: beside what PostgreSQL/),
  ]);
  write('V2__silent.sql', 'UPDATE entry SET amount = amount + 1;');
  write('V2__silent.sql.conf', 'executeInTransaction=false', '');
  expect((await migrate()).problems).toEqual([
    expect.stringMatching(/^Nothing was changed\. V2__silent\.sql\.conf: executeInTransaction is/),
  ]);
  expect(await rows('SELECT count(label), sum(amount) FROM entry;')).toEqual([['2', '30']]);
});

test('a contract waits until what runs, and what a rollback would bring, can live with it', async () => {
  write(
    'V2__label.sql',
    'ALTER TABLE entry DROP COLUMN label;',
    '-- compta: contract since=1.4.0\n',
  );
  servers.releases('app-1', '1.4.0-abc1234', '1.3.9-def5678');
  servers.releases('app-2', '1.3.9-def5678');
  const early = await migrate();
  expect(early.problems).toEqual([
    expect.stringContaining(
      `V2__label.sql is safe from 1.4.0 on, but app-1 would go back to ${SERVICE} 1.3.9-def5678, ` +
        `and app-2 runs ${SERVICE} 1.3.9-def5678.`,
    ),
  ]);
  expect((await migrate({ dryRun: true })).problems).toEqual(early.problems);
  expect(await rows('SELECT count(label) FROM entry;')).toEqual([['2']]);

  servers.releases('app-1', '1.4.1-abc1234', '1.4.0-def5678');
  servers.releases('app-2', '1.10.0', '1.4.0-def5678');
  const report = await migrate({ backup: true });
  expect(report).toMatchObject({ problems: [], after: '2', slotsAsked: 2 });
  const contract = { script: 'V2__label.sql', since: '1.4.0' };
  const contracted = { [SERVICE]: [contract] };
  expect(JSON.parse(servers.file('app-2', 'schema.json'))).toEqual(contracted);

  // What a restore has undone shuts out no version, until another one brings it back.
  const after = await migrate({ command: 'backup', scripts: undefined });
  const restore = (backupPath: string | undefined) =>
    migrate({ command: 'restore', scripts: undefined, confirmed: database, backupPath });
  expect(await restore(report.backup?.path)).toMatchObject({ problems: [] });
  for (const host of ['app-1', 'app-2']) {
    const undone = { [SERVICE]: [{ ...contract, undone: true }] };
    expect(JSON.parse(servers.file(host, 'schema.json'))).toEqual(undone);
  }
  await postgres.database.query('postgres', `DROP DATABASE ${database}_before;`);
  expect(await restore(after.backup?.path)).toMatchObject({ problems: [] });
  expect(JSON.parse(servers.file('app-2', 'schema.json'))).toEqual(contracted);
});

test('a service that is not well after the migration is told', async () => {
  servers.releases('app-1', '1.4.0');
  servers.readiness(503);
  write('V2__x.sql', 'ALTER TABLE entry ADD x int;');
  const report = await migrate();
  servers.readiness(200);
  expect(report.applied).toHaveLength(1);
  expect(report.problems).toContain(
    `After the migration the readiness of ${SERVICE}-a on app-1 answers 503.`,
  );
});

test('failing on the third of five keeps the first two, and says how to go on and back', async () => {
  write('V2__a.sql', 'ALTER TABLE entry ADD a int;');
  write('V3__b.sql', 'ALTER TABLE entry ADD b int;');
  write('V4__wrong.sql', 'ALTER TABLE entry ADD c int;\nALTER TABLE nowhere ADD x int;');
  write('V5__d.sql', 'ALTER TABLE entry ADD d int;');
  write('V6__e.sql', 'ALTER TABLE entry ADD e int;');
  const report = await migrate({ backup: true });
  expect(report).toMatchObject({ before: '1', after: '3' });
  expect(report.problems).toHaveLength(1);
  expect(report.problems[0]).toMatch(/V4__wrong\.sql:3\).*relation "nowhere" does not exist/s);
  expect(report.applied.map(({ version }) => version)).toEqual(['2', '3']);
  expect(report.touched[0]).toMatchObject({ rowsBefore: 2, rowsAfter: 2, columns: 5 });
  expect(report.wayBack.join('\n')).toContain(
    `sudo compta-restore ${report.backup?.path} ${database} --replace=${database}`,
  );
  expect(report.wayBack.join('\n')).toContain(
    'gh workflow run database-migration.yml -f environment=staging -f command=restore ' +
      `-f service=${SERVICE} -f dry-run=false -f backup-path=${report.backup?.path} ` +
      `-f confirmation=${database}\``,
  );
  expect(report.wayBack.join('\n')).toContain(
    `recovery_target_name = '${report.restorePoint?.name}'`,
  );

  // Corrected, the same run goes on where it stopped.
  write('V4__wrong.sql', 'ALTER TABLE entry ADD c int;');
  expect((await migrate()).applied.map(({ version }) => version)).toEqual(['4', '5', '6']);

  // And the way back that was printed leads back.
  const back = await migrate({
    ...{ command: 'restore', scripts: undefined },
    ...{ backupPath: report.backup?.path, confirmed: database },
  });
  expect(back).toMatchObject({ problems: [], restored: { database } });
  const columns = `SELECT count(*) FROM information_schema.columns WHERE table_name = 'entry';`;
  expect(await rows(columns)).toEqual([['3']]);
  const previous = back.restored?.previous ?? '';
  expect(await postgres.database.query(previous, columns)).toEqual([['8']]);
});

test('a Flyway that is killed in the middle of a script leaves what was whole, and the next run goes on', async () => {
  write('V2__a.sql', 'ALTER TABLE entry ADD a int;');
  write('V3__slow.sql', 'ALTER TABLE entry ADD b int; SELECT pg_sleep(600);');
  const running = migrate();
  await asleep();
  for (const pid of processesWith(`FLYWAY_LOCATIONS=filesystem:${temp}`))
    process.kill(pid, 'SIGKILL');
  const report = await running;
  expect(report).toMatchObject({ before: '1', after: '2' });
  expect(report.problems).toEqual([expect.stringMatching(/flyway was killed by SIGKILL/)]);
  expect(report.applied.map(({ version }) => version)).toEqual(['2']);
  expect(report.wayBack.join('\n')).toContain('Applied and kept: 2.');
  expect(
    await rows(`SELECT count(*) FROM pg_roles WHERE rolname LIKE 'compta_migration%';`),
  ).toEqual([['0']]);
  write('V3__slow.sql', 'ALTER TABLE entry ADD b int;');
  expect((await migrate()).applied.map(({ version }) => version)).toEqual(['3']);
});

test('a server that is lost in the middle of a script leaves open what was applied', async () => {
  write('V2__a.sql', 'ALTER TABLE entry ADD a int;');
  write('V3__slow.sql', 'SELECT pg_sleep(600);');
  const running = migrate({ backup: true });
  await asleep();
  await postgres.database.query(
    'postgres',
    `ALTER DATABASE ${database} ALLOW_CONNECTIONS false;
     SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${database}';`,
  );
  const report = await running;
  expect(report).toMatchObject({ before: '1', after: '', applied: [] });
  expect(report.wayBack[0]).toMatch(/^What was applied could not be asked: run the command `info`/);
  const back = report.wayBack.join('\n');
  expect(back).toContain(`sudo compta-restore ${report.backup?.path} ${database}`);
  expect(back).toContain(`recovery_target_name = '${report.restorePoint?.name}'`);
});

test('a restore that fails says what is in place, and how to go back', async () => {
  const { backup } = await migrate({ command: 'backup', scripts: undefined });
  const restore = (backupPath: string | undefined) =>
    migrate({ command: 'restore', scripts: undefined, confirmed: database, backupPath });
  await rows('DELETE FROM entry WHERE id = 2;');
  servers.releases('app-1', '1.4.0');
  servers.readiness(503);
  const report = await restore(backup?.path);
  servers.readiness(200);
  expect(report.problems[0]).toMatch(/^After the restore the readiness/);
  expect(await rows('SELECT count(*) FROM entry;')).toEqual([['2']]);
  expect(report.wayBack[0]).toContain(`kept as \`${database}_before\``);

  // What is printed leads back.
  const command = /`(sudo .*?)`/.exec(report.wayBack[1] ?? '')?.[1] ?? '';
  await reach(inventoryFrom(servers.outputs), servers.privateKey, temp, ({ server }) =>
    server.exec(['sh', '-c', command]),
  );
  expect(await rows('SELECT count(*) FROM entry;')).toEqual([['1']]);

  const broken = await restore(`${backup?.path}.none`);
  expect(broken.wayBack[0]).toMatch(/^When no compta-restore runs on db-1 any more, look there/);
});

test('an index that could not be built is named with the way out, and then let run again', async () => {
  await rows('UPDATE entry SET amount = 1;');
  write('V2__x.sql', 'ALTER TABLE entry ADD x int;');
  write('V3__one.sql', 'CREATE UNIQUE INDEX CONCURRENTLY one ON entry (amount);');
  write('V4__y.sql', 'ALTER TABLE entry ADD y int;');
  const report = await migrate();
  expect(report.problems[0]).toMatch(/V3__one\.sql.*could not create unique index/s);
  expect(report.problems).toContain(
    'The index one is invalid: DROP INDEX CONCURRENTLY one; then create it again.',
  );
  expect(report.problems[0]).not.toContain('(amount)=(1)');
  expect(report).toMatchObject({ after: '2' });
  expect(report.wayBack.join('\n')).toContain("`repair-confirm: '3'`");

  await rows('DROP INDEX CONCURRENTLY one; UPDATE entry SET amount = id;');
  const shown = await migrate({ command: 'repair' });
  expect(shown.problems[0]).toContain('3 "one": forgets the failed attempt, so that it runs again');
  expect(await migrate({ command: 'repair', confirmed: '3' })).toMatchObject({ problems: [] });
  // What a rebuild that was cut has left is not this migration's.
  await rows(`CREATE INDEX other_ccnew ON entry (amount);
    UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'other_ccnew'::regclass;`);
  const again = await migrate();
  expect(again).toMatchObject({ problems: [], after: '4' });
  expect(again.remarks).toEqual([
    'other_ccnew is what a REINDEX that was cut has left: DROP INDEX CONCURRENTLY other_ccnew;',
  ]);
});

test('a lock that does not come is given up after its tries, with who holds it', async () => {
  write('V2__x.sql', 'ALTER TABLE entry ADD x int;');
  const holder = rows('BEGIN; LOCK TABLE entry; SELECT pg_sleep(600);');
  const ended = expect(holder).rejects.toThrow('terminating connection');
  const report = await migrate({ limits: { ...DEFAULTS.limits, freeBytes: 0 } });
  await postgres.database.query(
    'postgres',
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%'
     AND pid <> pg_backend_pid();`,
  );
  await ended;
  expect(said.filter((line) => line.startsWith('A lock was not to be had'))).toHaveLength(3);
  expect(report.problems).toHaveLength(1);
  expect(report.problems[0]).toMatch(/SQL State *: 55P03[\s\S]*Open then: pid \d+ \(postgres/);
  expect(report).toMatchObject({ after: '1', applied: [] });
});

test('a transaction that is open for too long is named before anything is done', async () => {
  write('V2__x.sql', 'ALTER TABLE entry ADD x int;');
  const open = rows('BEGIN; SELECT count(*) FROM entry; SELECT pg_sleep(600);');
  const ended = expect(open).rejects.toThrow('terminating connection');
  const report = await migrate({
    limits: { ...DEFAULTS.limits, freeBytes: 0, transactionMs: 200 },
  });
  const pid = /SELECT pg_terminate_backend\((\d+)\)/.exec(report.problems[0] ?? '')?.[1];
  await postgres.database.query('postgres', `SELECT pg_terminate_backend(${pid});`);
  await ended;
  expect(report.problems[0]).toMatch(/^Nothing was changed, as transactions are open for longer/);
  const full = await migrate({ limits: { ...DEFAULTS.limits, freeBytes: 2 ** 52 } });
  expect(full.problems[0]).toMatch(/^Nothing was changed, as .* has \d+ MiB free, and a script/);
});

test('an edited script stops everything until it is put back, or allowed by its exact name', async () => {
  write('V1__books.sql', 'CREATE TABLE entry (id bigint PRIMARY KEY, label text, amount int);');
  write('V2__x.sql', 'ALTER TABLE entry ADD x int;');
  expect((await migrate()).problems).toEqual([expect.stringMatching(/^CHECKSUM_MISMATCH: /)]);
  const shown = await migrate({ command: 'repair' });
  expect(shown.problems[0]).toMatch(
    /1 "books": declares the edited script to be what was applied \(checksum -?\d+ → -?\d+\)/,
  );
  const other = await migrate({ command: 'repair', confirmed: '1 2' });
  expect(other.problems[0]).toMatch(/repair-confirm names 2, which repair would not touch/);
  const checksum = shown.corrections[0]?.becomes ?? '';
  const report = await migrate({ command: 'repair', confirmed: checksum });
  expect(report.problems).toEqual([]);
  expect(await rows(`SELECT checksum FROM "${report.historyCopy}";`)).toEqual([
    [shown.corrections[0]?.was],
  ]);
  expect(await rows(`SELECT checksum FROM flyway_schema_history;`)).toEqual([[checksum]]);
});

test('the history in a restored backup is held to the scripts beside the database', async () => {
  const answer = await rows('SELECT json_agg(h) FROM flyway_schema_history AS h;');
  const history = { backup: 'last night’s', entries: JSON.parse(answer.flat().join('')) };
  // It is the backup's history that counts, not what the database's has become since.
  await rows('UPDATE flyway_schema_history SET checksum = 7;');
  write('V2__x.sql', 'ALTER TABLE entry ADD x int;');
  const held = await migrate({ command: 'validate', history });
  expect(held).toMatchObject({ problems: [], before: '1', after: '1', applied: [] });
  expect(summary(held)).toContain(
    `✅ ${database}: schema 1 in last night’s fits the scripts, 1 pending since`,
  );
  write('V1__books.sql', `${FIRST} -- edited`);
  expect((await migrate({ command: 'validate', history })).problems).toEqual([
    expect.stringMatching(/^last night’s: CHECKSUM_MISMATCH: /),
  ]);
  expect(await rows(`SELECT datname FROM pg_database WHERE datname LIKE '%rehearsal%';`)).toEqual(
    [],
  );
});

test('a script below the schema’s version would never run, and is refused', async () => {
  write('V0__late.sql', 'CREATE TABLE late (id int);');
  expect((await migrate()).problems).toEqual([
    `Script 0 "late" is below the schema's version 1 and would never run: give it a higher version.`,
  ]);
});

test('one run at a time: the second reads who has the turn', async () => {
  await reach(inventoryFrom(servers.outputs), servers.privateKey, temp, async ({ server }) => {
    const turn = await takeTurn(new Database(server, postgres.port), database, 'another, run 7');
    expect((await migrate()).problems).toEqual([
      expect.stringMatching(/^Another run is changing .*: migration by another, run 7, since/),
    ]);
    await turn.end();
  });
  expect((await migrate()).problems).toEqual([]);
});

/** Waits until a script is at `pg_sleep(600)`. */
async function asleep(): Promise<void> {
  const sleepers = `SELECT count(*) FROM pg_stat_activity WHERE state = 'active'
    AND usename LIKE 'compta_migration%' AND query LIKE '%pg_sleep(600)%';`;
  for (let tries = 0; (await rows(sleepers))[0]?.[0] === '0'; tries += 1) {
    if (tries > 600) throw new Error('The script did not begin within a minute.');
    await pause(100);
  }
}

/** Processes whose environment has this beginning of a variable. */
function processesWith(variable: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter(Boolean)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`\0${variable}`);
      } catch {
        return false; // it ended in the meantime
      }
    });
}

const isDump = (name: string) => name.endsWith('.dump');
