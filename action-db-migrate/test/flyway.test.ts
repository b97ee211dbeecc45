import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { find } from '@actions/tool-cache';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import {
  type Flyway,
  type FlywayRefused,
  migrate,
  readState,
  repairHistory,
} from '../../lib/migration/flyway.ts';
import { createLogin } from '../../lib/migration/login.ts';
import { correctionsFor } from '../../lib/migration/repair.ts';
import { type Postgres, startPostgres } from './postgres.ts';

const database = 'compta_test';
let postgres: Postgres;
let flyway: Flyway;

/** One database whose history the tests go on writing, in their order. */
beforeAll(async () => {
  postgres = startPostgres(18433);
  const owner = `${database}_owner`;
  await postgres.database.query('postgres', `CREATE ROLE ${owner};`);
  await postgres.database.query('postgres', `CREATE DATABASE ${database} OWNER ${owner};`);
  flyway = {
    program: join(find('flyway', '11.8.2'), 'flyway'),
    home: mkdtempSync(join(tmpdir(), 'compta flyway-')),
    scripts: mkdtempSync(join(tmpdir(), 'compta-flyway-')),
    database,
    owner,
    login: await createLogin(postgres.database, owner),
    port: postgres.port,
    limits: { lockMs: 300, statementMs: 20_000 },
    env: process.env,
    cancelled: new AbortController().signal,
  };
});
afterAll(() => {
  postgres.stop();
  for (const folder of [flyway.home, flyway.scripts]) rmSync(folder, { recursive: true });
});

const write = (name: string, sql: string) => writeFileSync(join(flyway.scripts, name), sql);
const rows = (sql: string) => postgres.database.query(database, sql);
const unexpected = {
  outside: false,
  onRetry: (line: string) => {
    throw new Error(`There was nothing to wait for: ${line}`);
  },
};

test('pending scripts are told, then applied as the owner of the schema', async () => {
  write('V1__entries.sql', 'CREATE TABLE entry (id int);');
  write('V2__labels.sql', 'ALTER TABLE entry ADD label text;');
  const before = await readState(flyway);
  expect(before.version).toBe('none');
  expect(before.pending.map(({ description }) => description)).toEqual(['entries', 'labels']);
  expect(before.wrong).toEqual([]);

  const { migrations } = await migrate(flyway, unexpected);
  expect(migrations.map(({ version }) => version)).toEqual(['1', '2']);
  expect(await readState(flyway)).toMatchObject({ version: '2', pending: [], passedOver: [] });
  expect(await rows(`SELECT tableowner FROM pg_tables WHERE tablename = 'entry';`)).toEqual([
    ['compta_test_owner'],
  ]);
}, 180_000);

test('no setting is taken from a checkout, a home or the environment', async () => {
  const elsewhere = mkdtempSync(join(tmpdir(), 'compta-settings-'));
  writeFileSync(join(elsewhere, 'flyway.toml'), '[flyway]\ntable = "elsewhere"\n');
  const before = process.cwd();
  process.chdir(elsewhere);
  try {
    expect((await readState(flyway)).version).toBe('2');
  } finally {
    process.chdir(before);
  }
  for (const [name, value] of [
    ['JAVA_TOOL_OPTIONS', `-Duser.home=${elsewhere}`],
    ['FLYWAY_CONFIG_FILES', join(elsewhere, 'flyway.toml')],
    ['FLYWAY_TABLE', 'elsewhere'],
    ['flyway_table', 'elsewhere'],
  ] as const) {
    const env = { ...process.env, [name]: value };
    expect([name, (await readState({ ...flyway, env })).version]).toEqual([name, '2']);
  }
  rmSync(elsewhere, { recursive: true });
}, 180_000);

test('a machine without Java is told so', async () => {
  const nowhere = { ...flyway, env: { ...process.env, JAVA_HOME: '/nowhere' } };
  await expect(readState(nowhere)).rejects.toThrow(/^Flyway needs Java 17 or later, and this/);
});

test('a script that fails is named with its line and SQL state, and leaves nothing behind', async () => {
  write('V3__wrong.sql', 'CREATE TABLE half (id int);\nALTER TABLE nowhere ADD x int;\n');
  const refused = await migrate(flyway, unexpected).catch((error: FlywayRefused) => error);
  expect(refused).toMatchObject({ name: 'FlywayRefused', sqlState: '42P01' });
  expect((refused as Error).message).toMatch(/V3__wrong\.sql:2\)/);
  expect(await rows(`SELECT to_regclass('half') IS NULL;`)).toEqual([['t']]);
  expect((await readState(flyway)).version).toBe('2');
}, 180_000);

test('a statement that lasts too long is ended, and its script leaves nothing behind', async () => {
  write('V3__wrong.sql', 'CREATE TABLE half (id int);\nSELECT pg_sleep(60);\n');
  const limits = { lockMs: 300, statementMs: 500 };
  const refused = await migrate({ ...flyway, limits }, unexpected).catch((error: Error) => error);
  expect(refused).toMatchObject({ name: 'FlywayRefused', sqlState: '57014' });
  expect(await rows(`SELECT to_regclass('half') IS NULL;`)).toEqual([['t']]);
}, 60_000);

test('a lock that is not to be had is waited for by trying again', async () => {
  write('V3__wrong.sql', 'ALTER TABLE entry ADD amount numeric;');
  const holder = rows('BEGIN; LOCK TABLE entry; SELECT pg_sleep(60);');
  const released = expect(holder).rejects.toThrow('terminating connection');
  const retries: string[] = [];
  const { migrations } = await migrate(flyway, {
    outside: false,
    onRetry: (line) => {
      retries.push(line);
      void rows(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid();`,
      );
    },
  });
  await released;
  expect(retries).toEqual(['A lock was not to be had: trying again in 2 s.']);
  expect(migrations.map(({ version }) => version)).toEqual(['3']);
}, 180_000);

test('an applied script that was edited is a mismatch, and stops until it is repaired', async () => {
  write('V1__entries.sql', 'CREATE TABLE entry (id bigint);');
  write('V4__more.sql', 'SELECT 1;');
  const wrong = (await readState(flyway)).wrong;
  expect(wrong).toMatchObject([{ code: 'CHECKSUM_MISMATCH', version: '1' }]);
  expect(correctionsFor(wrong)).toMatchObject([
    { was: expect.stringMatching(/^-?\d+$/), becomes: expect.stringMatching(/^-?\d+$/) },
  ]);
  await expect(migrate(flyway, unexpected)).rejects.toThrow('Flyway: VALIDATE_ERROR');
  expect((await readState(flyway)).version).toBe('3');

  expect((await repairHistory(flyway)).length).toBeGreaterThan(0);
  expect((await readState(flyway)).wrong).toEqual([]);
}, 180_000);

test('a script that changes while nobody looks is passed over by none', async () => {
  write('R__view.sql', 'CREATE OR REPLACE VIEW labels AS SELECT label FROM entry;');
  expect((await readState(flyway)).pending.map(({ description }) => description)).toContain('view');
  await migrate(flyway, unexpected);
  write('R__view.sql', 'CREATE OR REPLACE VIEW labels AS SELECT label, amount FROM entry;');
  const { pending, wrong } = await readState(flyway);
  expect(pending.map(({ description }) => description)).toEqual(['view']);
  expect(wrong).toEqual([]);
}, 180_000);

test('a script and its line in the history are one transaction, however long it takes', async () => {
  // As on our servers: a session that is idle in a transaction is ended.
  await rows(`ALTER DATABASE ${database} SET idle_in_transaction_session_timeout = '2s';`);
  write('V5__opening.sql', 'INSERT INTO entry (id) VALUES (5); SELECT pg_sleep(4);');
  const { migrations } = await migrate(flyway, unexpected);
  await rows(`ALTER DATABASE ${database} RESET idle_in_transaction_session_timeout;`);
  expect(migrations.map(({ version }) => version)).toContain('5');
  // Else a run that is cut between the two would have the next one book the script's rows again.
  expect(
    await rows(`SELECT entry.xmin = history.xmin FROM entry, flyway_schema_history AS history
                WHERE entry.id = 5 AND history.version = '5';`),
  ).toEqual([['t']]);
}, 180_000);

test('a script whose name says nothing to Flyway is refused, instead of never run', async () => {
  write('V6_label.sql', 'ALTER TABLE entry ADD note text;');
  const refused = await readState(flyway).catch((error: Error) => error);
  rmSync(join(flyway.scripts, 'V6_label.sql'));
  expect((refused as Error).message).toMatch(/^Flyway: .*V6_label\.sql/s);
}, 180_000);

test('a refused login is an error of Flyway, without its password', async () => {
  const login = { ...flyway.login, password: 'planted-wrong' };
  const refused = await readState({ ...flyway, login }).catch((error: Error) => error);
  expect((refused as Error).message).toContain('password authentication failed');
  expect((refused as Error).message).not.toContain('planted');
}, 180_000);
