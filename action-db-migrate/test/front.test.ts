import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { assertPostgres } from '../../lib/migration/front.ts';
import { runAction } from '../../lib/runner/test/start-action.ts';
import { NOBODY, type Postgres, startPostgres, unpack } from './postgres.ts';
import { startServers } from './servers.ts';

let postgres: Postgres;
let pooler: ChildProcess;
let folder: string;
const POOLER = 18436;

beforeAll(async () => {
  postgres = startPostgres(18435);
  folder = mkdtempSync(join(tmpdir(), 'compta-pgbouncer-'));
  chmodSync(folder, 0o755);
  unpack('pgbouncer', folder);
  pooler = startPooler(folder);
  for (let tries = 0; !(await answers(POOLER)); tries += 1) {
    if (tries > 100) throw new Error('PgBouncer did not start.');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}, 180_000);
afterAll(() => {
  pooler?.kill('SIGKILL');
  postgres?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test('PostgreSQL is known by its answer, PgBouncer refused by its own, at whatever port', async () => {
  await assertPostgres(postgres.port, 5432);
  await expect(assertPostgres(POOLER, 5432)).rejects.toThrow(
    'What answers at port 5432 is not PostgreSQL itself but a pooler such as PgBouncer',
  );
});

test('a migration through a pooler is refused before it takes the turn, which would stay behind it', async () => {
  const servers = await startServers(postgres);
  const scripts = join(folder, 'scripts');
  mkdirSync(scripts);
  const ended = await runAction(
    'action-db-migrate',
    {
      database: 'postgres',
      locations: scripts,
      port: String(POOLER),
      'terraform-outputs': servers.outputs,
      'private-key': servers.privateKey,
    },
    { RUNNER_TOOL_CACHE: process.env.RUNNER_TOOL_CACHE ?? '', PATH: process.env.PATH ?? '' },
  );
  await servers.close();
  expect(ended.exitCode).toBe(1);
  expect(ended.errors).toEqual([
    expect.stringContaining(`What answers at port ${POOLER} is not PostgreSQL itself but a pooler`),
  ]);
  const left = `SELECT count(*) FILTER (WHERE locktype = 'advisory') FROM pg_locks;
    SELECT count(*) FROM pg_roles WHERE rolname LIKE 'compta_migration_%';`;
  expect(await postgres.database.query('postgres', left)).toEqual([['0'], ['0']]);
});

test('neither is something that says nothing', async () => {
  const mute = createServer((socket) => socket.end());
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
  const { port } = mute.address() as { port: number };
  await expect(assertPostgres(port, 5432)).rejects.toThrow('Nothing that speaks PostgreSQL');
  mute.close();
});

/** Whoever asks it gets to PostgreSQL. The package brings the libraries it needs; it refuses to run as root. */
function startPooler(home: string): ChildProcess {
  const file = join(home, 'pgbouncer.ini');
  writeFileSync(
    file,
    `[databases]
* = host=${postgres.socket} port=${postgres.port} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${POOLER}
unix_socket_dir = ${postgres.socket}
auth_type = any
pool_mode = transaction
`,
  );
  const libraries = join(home, 'usr/lib/pgbouncer');
  return spawn(
    join(libraries, 'ld-linux-x86-64.so.2'),
    ['--library-path', libraries, join(home, 'usr/sbin/pgbouncer'), file],
    { uid: NOBODY, gid: NOBODY, stdio: 'ignore' },
  );
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => socket.destroy());
    socket.on('error', () => {});
    socket.on('close', (failed) => resolve(!failed));
  });
}
