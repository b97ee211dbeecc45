import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import nunjucks from 'nunjucks';
import { readings } from '../../bench/readings.ts';
import { makeWorld, type World } from '../../infra/ansible/roles/backup/test/world.ts';
import { startAction } from '../../lib/runner/test/start-action.ts';
import { type Servers, startServers } from './servers.ts';

const database = 'compta_books';
const port = 18438;
/** What stands in the books: nothing of it is for whoever reads a log. In ASCII, which no program spells otherwise. */
const ROW = {
  label: 'Amira Ben Salah & fils, "Import/Export"',
  account: 'RIB 08 006 0123456789012 34',
  amount: '7734501.337',
};
const REGISTRY_PASSWORD = 'r3gistry "pass"/word+é';

jest.setTimeout(300_000);

let world: World;
let servers: Servers;
beforeAll(async () => {
  const own = `listen_addresses = '127.0.0.1'\narchive_mode = off`;
  world = makeWorld({ port, settings: `${own}\n${logging()}` });
  const bin = world.at('postgresql/usr/lib/postgresql/16/bin');
  servers = await startServers(
    { port, socket: world.at('home'), program: (name) => join(bin, name) },
    world.at('sbin'),
  );
  world.sql(
    'postgres',
    `CREATE ROLE ${database}_owner; CREATE DATABASE ${database} OWNER ${database}_owner`,
  );
  const values = Object.values(ROW).map((value) => `'${value}'`);
  world.sql(
    database,
    `SET ROLE ${database}_owner;
     CREATE TABLE entry (label text PRIMARY KEY, account text NOT NULL, amount numeric NOT NULL);
     INSERT INTO entry VALUES (${values.join(', ')});
     CREATE TABLE flyway_schema_history (
       installed_rank int PRIMARY KEY, version varchar(50), description varchar(200) NOT NULL,
       type varchar(20) NOT NULL, script varchar(1000) NOT NULL, checksum int,
       installed_by varchar(100) NOT NULL, installed_on timestamp NOT NULL DEFAULT now(),
       execution_time int NOT NULL, success boolean NOT NULL);
     INSERT INTO flyway_schema_history
     VALUES (1, '1', 'books', 'BASELINE', 'books', NULL, 'test', now(), 0, true)`,
  );
  for (const name of ['scripts', 'runner']) mkdirSync(world.at(name));
});
afterAll(async () => {
  await servers?.close();
  world?.stop();
});

const template = (name: string) =>
  readFileSync(
    new URL(`../../infra/ansible/roles/postgresql/templates/${name}`, import.meta.url),
    'utf8',
  );

/** What the role says of the server's log. */
function logging(): string {
  const settings = template('postgresql.conf.j2').matchAll(/^ {2}'(log_\w+)': ('[^']*'|\d+),$/gm);
  return [...settings].map(([, name, value]) => `${name} = ${value}`).join('\n');
}

/** The database as the role leaves it, for a service to log in to. */
function openToService(): void {
  world.sql(
    'postgres',
    `CREATE ROLE ${database}_app LOGIN; CREATE ROLE pgbouncer; CREATE ROLE postgres_exporter`,
  );
  const statement = nunjucks.renderString(template('database.sql.j2'), {
    postgresql_extensions: [],
    postgresql_app_statement_timeout: '30s',
  });
  world.sql(database, `\\set database ${database}\n\\set end COMMIT\n${statement}`);
}

const write = (name: string, sql: string) =>
  writeFileSync(world.at('scripts', name), `-- compta: expand\n${sql}`);

test('a migration with its backup shows no secret and no row, even where it fails at one', async () => {
  write('V2__checked.sql', 'ALTER TABLE entry ADD checked boolean;');
  write(
    'V3__number.sql',
    'ALTER TABLE entry ADD number int; UPDATE entry SET number = label::int;',
  );
  const identity = /AGE-SECRET-KEY-\S+/.exec(world.identity)?.[0] ?? '';
  const started = startAction(
    'action-db-migrate',
    {
      database,
      locations: world.at('scripts'),
      port: String(port),
      'terraform-outputs': servers.outputs,
      'private-key': servers.privateKey,
      'age-identity': identity,
      username: 'ci',
      password: REGISTRY_PASSWORD,
      'min-free-disk': '0',
    },
    {
      RUNNER_TEMP: world.at('runner'),
      RUNNER_TOOL_CACHE: process.env.RUNNER_TOOL_CACHE ?? '',
      PATH: process.env.PATH ?? '',
    },
  );
  const logins = new Set<string>();
  const watching = setInterval(() => {
    for (const password of flywayPasswords()) logins.add(password);
  }, 200);
  const ended = await started.ended;
  clearInterval(watching);
  expect(ended).toMatchObject({ exitCode: 1, outputs: { 'schema-version': '2', applied: '1' } });
  expect(ended.errors.join()).toContain('invalid input syntax for type integer: "…"');
  expect(ended.summary).toContain('restored and compared');
  // A service that is given nonsense, and an administrator who mistypes: their errors are for them.
  openToService();
  const nonsense = `INSERT INTO entry VALUES ('x', '${ROW.account}', '${ROW.label}')`;
  expect(() => world.sql(database, `\\connect ${database} ${database}_app\n${nonsense}`)).toThrow(
    'invalid input syntax for type numeric',
  );
  expect(() => world.sql(database, `SELECT '${ROW.account}', 1 / 0`)).toThrow('division by zero');
  expect(readFileSync(world.at('home/log'), 'utf8')).toContain('ERROR:  division by zero');

  const [login = '', ...others] = logins;
  expect({ login, others }).toEqual({ login: expect.stringMatching(/.{32}/), others: [] });

  const { stdout, summary, ...left } = ended;
  // The runner takes these commands out of the log.
  const log = stdout.replaceAll(/^::add-mask::.*$/gm, '');
  const texts = [
    ...Object.entries({ log, summary, left: JSON.stringify(left) }),
    ...['audit.log', 'lease.json'].map((name) => [name, servers.file('app-1', name)] as const),
    ...['runner', 'remote', 'metrics', 'backups', 'home/log'].flatMap((place) =>
      filesBelow(world.at(place)).map((file) => [file, textOf(readFileSync(file))] as const),
    ),
  ];
  const names = texts.map(([name]) => name).join('\n');
  for (const name of ['report.json', 'manifest.json', '.prom', '.dump.json', 'home/log']) {
    expect(names).toContain(name);
  }
  const keys = { key: servers.privateKey, identity, registry: REGISTRY_PASSWORD, login };
  expect(shownIn(texts, { ...keys, ...ROW })).toEqual([]);

  // Whoever holds the identity does find the rows: they are what was backed up, and what was looked for.
  const sealed = filesBelow(world.at('remote')).find((file) => file.endsWith('sql.gz.age')) ?? '';
  const opened = execFileSync('age', ['--decrypt', '--identity', '-', sealed], { input: identity });
  expect(shownIn([['sql', textOf(opened)]], ROW)).toEqual(
    Object.keys(ROW).map((row) => `${row} in sql`),
  );
});

function textOf(bytes: Buffer): string {
  return (bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes).toString();
}

function shownIn(texts: readonly (readonly [string, string])[], secrets: Record<string, string>) {
  return texts.flatMap(([name, text]) =>
    Object.entries(secrets)
      .filter(([, secret]) => readings(secret).some((reading) => text.includes(reading)))
      .map(([what]) => `${what} in ${name}`),
  );
}

/** Without the newest dump, which lies in clear on the database server for a way back without an identity. */
function filesBelow(place: string): string[] {
  const entries = execFileSync('find', [place, '-type', 'f', '!', '-name', 'dump'], {
    encoding: 'utf8',
  });
  return entries.split('\n').filter(Boolean);
}

/** Of the login that lives for the run alone: nobody but Flyway's own environment has its password. */
function flywayPasswords(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
        if (!environment.includes(`FLYWAY_LOCATIONS=filesystem:${world.folder}`)) return [];
        return /\0FLYWAY_PASSWORD=([^\0]+)/.exec(environment)?.[1] ?? [];
      } catch {
        return []; // it ended in the meantime
      }
    });
}
