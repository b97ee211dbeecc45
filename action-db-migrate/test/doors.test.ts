import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { type RunResult, run } from '../../lib/process/run.ts';
import { runAction, startAction } from '../../lib/runner/test/start-action.ts';
import { type Postgres, startPostgres } from './postgres.ts';
import { type Servers, startServers } from './servers.ts';

const database = 'compta_books';
let postgres: Postgres;
let servers: Servers;
let scripts: string;

jest.setTimeout(300_000);

beforeAll(async () => {
  postgres = startPostgres(18437);
  servers = await startServers(postgres);
  scripts = join(mkdtempSync(join(tmpdir(), 'compta-killed-')), 'scripts');
  mkdirSync(scripts);
  await postgres.database.query('postgres', `CREATE ROLE ${database}_owner;`);
  await postgres.database.query('postgres', `CREATE DATABASE ${database} OWNER ${database}_owner;`);
});
afterAll(async () => {
  await servers?.close();
  postgres?.stop();
  rmSync(join(scripts, '..'), { recursive: true });
});

const write = (name: string, sql: string) =>
  writeFileSync(join(scripts, name), `-- compta: expand\n${sql}`);
const rows = (sql: string) => postgres.database.query(database, sql);
const inputs = () => ({
  database,
  locations: scripts,
  port: String(postgres.port),
  'terraform-outputs': servers.outputs,
  'private-key': servers.privateKey,
  'backup-directory': servers.backups,
  'min-free-disk': '0',
});
const env = {
  RUNNER_TOOL_CACHE: process.env.RUNNER_TOOL_CACHE ?? '',
  PATH: process.env.PATH ?? '',
};

test('a runner that is killed with its tunnel open leaves nothing, and the next one goes on', async () => {
  write('V1__books.sql', 'CREATE TABLE entry (id int);');
  write('V2__slow.sql', 'ALTER TABLE entry ADD x int; SELECT pg_sleep(600);');
  const first = startAction('action-db-migrate', inputs(), env);
  await until(async () => (await sleeping()) > 0);
  first.kill('SIGKILL');
  await first.ended;
  // Nobody tells PostgreSQL; it notices within seconds that its client is gone.
  await until(async () => (await sleeping()) === 0);
  expect(
    await rows(`SELECT count(*) FROM information_schema.columns WHERE table_name = 'entry';`),
  ).toEqual([['1']]);
  expect(await logins()).toBe(1);

  write('V2__slow.sql', 'ALTER TABLE entry ADD x int;');
  const second = await runAction('action-db-migrate', { ...inputs(), 'lease-timeout': '60s' }, env);
  expect(second).toMatchObject({
    exitCode: 0,
    errors: [],
    outputs: { 'previous-schema-version': '1', 'schema-version': '2', pending: '1', applied: '1' },
  });
  expect(second.stdout).toMatch(/Ended compta_migration_\w+, which a run that was killed had left/);
  expect(second.outputs['report-file']).toMatch(/report\.json$/);
  expect(second.outputs['backup-path']).toContain(`${servers.backups}/${database}/`);
  expect(second.summary).toContain('restored and compared');
  expect(await logins()).toBe(0);
});

test('a job that is cancelled in the middle ends cleanly, and frees what it had', async () => {
  write('V3__slow.sql', 'ALTER TABLE entry ADD y int; SELECT pg_sleep(600);');
  const started = startAction('action-db-migrate', { ...inputs(), backup: 'false' }, env);
  await until(async () => (await sleeping()) > 0);
  started.kill('SIGINT');
  const ended = await started.ended;
  expect(ended).toMatchObject({ exitCode: 1, outputs: { 'schema-version': '2', applied: '0' } });
  expect(ended.errors).toEqual([expect.stringMatching(/^compta_books: .*/)]);
  expect(await sleeping()).toBe(0);
  expect(await logins()).toBe(0);
  expect(JSON.parse(servers.file('app-1', 'lease.json'))).toMatchObject({ expires: 0 });
});

test('the playbook checks, backs up, applies and validates through the command line', async () => {
  const statement = 'ALTER TABLE entry ADD z int;';
  write('V3__slow.sql', statement);
  const checked = await playbook(['--check']);
  expect(checked.stdout).toMatch(/localhost +: ok=\d+ +changed=0 .*failed=0/);
  const done = await playbook();
  expect(done.stdout).toMatch(/localhost +: ok=\d+ +changed=2 .*failed=0/);
  expect(await rows('SELECT max(version) FROM flyway_schema_history;')).toEqual([['3']]);
  write('V3__slow.sql', `${statement} -- edited`);
  const refused = await playbook();
  expect(refused.exitCode).toBe(2);
  expect(refused.stdout).toContain('CHECKSUM_MISMATCH: Migration checksum mismatch');
});

test('a message that Slack does not take makes no failure of a migration that went well', async () => {
  write('V3__slow.sql', 'ALTER TABLE entry ADD z int;');
  write('V4__more.sql', 'ALTER TABLE entry ADD w int;');
  const deaf = createServer((_, response) => void response.writeHead(500).end());
  await once(deaf.listen(0, '127.0.0.1'), 'listening');
  const { port } = deaf.address() as AddressInfo;
  try {
    const webhook = `http://127.0.0.1:${port}/services/planted-webhook`;
    const done = await playbook([], { migration_slack_webhook: webhook });
    expect(done.stdout).toMatch(/localhost +: ok=\d+ +changed=2 .*failed=0/);
    expect(done.stdout).toContain('Slack did not take the message (HTTP 500)');
    expect(done.stdout).not.toContain('planted-webhook');
    expect(await rows('SELECT max(version) FROM flyway_schema_history;')).toEqual([['4']]);
  } finally {
    deaf.close();
  }
});

function playbook(flags: string[] = [], more: Record<string, string> = {}): Promise<RunResult> {
  const key = join(scripts, '..', 'key');
  writeFileSync(key, servers.privateKey, { mode: 0o600 });
  const variables = {
    migration_database: database,
    migration_locations: scripts,
    migration_port: postgres.port,
    migration_terraform_outputs: servers.outputs,
    migration_private_key: key,
    ...more,
  };
  return run(
    [
      'ansible-playbook',
      ...flags,
      '-e',
      JSON.stringify(variables),
      'playbooks/database-migration.yml',
    ],
    { cwd: new URL('../../infra/ansible', import.meta.url).pathname, allowedExitCodes: [0, 2] },
  );
}

async function sleeping(): Promise<number> {
  const [row] = await rows(
    `SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'compta\\_migration\\_%'
     AND state = 'active' AND query LIKE '%pg_sleep(600)%';`,
  );
  return Number(row?.[0]);
}

async function logins(): Promise<number> {
  const [row] = await rows(
    `SELECT count(*) FROM pg_roles WHERE rolname LIKE 'compta\\_migration\\_%';`,
  );
  return Number(row?.[0]);
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await holds()); tries += 1) {
    if (tries > 500) throw new Error('It did not come within 100 seconds.');
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
