import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { invalidIndexes, isBesideAnother } from '../../lib/migration/aftermath.ts';
import { readFacts } from '../../lib/migration/checks.ts';
import {
  createLogin,
  dropDeadLogins,
  dropLogin,
  scramVerifier,
} from '../../lib/migration/login.ts';
import { type Postgres, startPostgres } from './postgres.ts';

let postgres: Postgres;

beforeAll(async () => {
  postgres = startPostgres(18432);
  await postgres.database.query('postgres', 'CREATE ROLE compta_test_owner;');
});
afterAll(() => postgres.stop());

const rows = (sql: string) => postgres.database.query('postgres', sql);

test('the verifier proves the server of the exchange in RFC 7677', () => {
  const salt = 'W22ZaJ0SNY7soEsUEjb6gQ==';
  const nonce = 'rOprNGfwEbeRWgbNEkqO';
  const both = `${nonce}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0`;
  const exchange = `n=user,r=${nonce},r=${both},s=${salt},i=4096,c=biws,r=${both}`;
  const verifier = scramVerifier('pencil', Buffer.from(salt, 'base64'));
  expect(verifier).toMatch(/^SCRAM-SHA-256\$4096:W22ZaJ0SNY7soEsUEjb6gQ==\$[^:]{44}:[^:]{44}$/);
  const serverKey = Buffer.from(verifier.split(':').at(-1) ?? '', 'base64');
  expect(createHmac('sha256', serverKey).update(exchange).digest('base64')).toBe(
    '6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
  );
});

test('a login of one run opens the database as the owner for as long as a job may last, and is gone after it', async () => {
  const login = await createLogin(postgres.database, 'compta_test_owner');
  expect(await postgres.ask(login, 'SET ROLE compta_test_owner; SELECT current_user;')).toBe(
    'compta_test_owner',
  );
  await expect(postgres.ask({ ...login, password: 'another' }, 'SELECT 1;')).rejects.toThrow(
    'password authentication failed',
  );
  const [kept] = await rows(
    `SELECT rolpassword, extract(epoch FROM rolvaliduntil - now())::int, rolsuper
     FROM pg_authid WHERE rolname = '${login.user}';`,
  );
  expect(kept?.[0]).toMatch(/^SCRAM-SHA-256\$4096:/);
  expect(Number(kept?.[1])).toBeGreaterThan(6 * 3600 - 100);
  expect(Number(kept?.[1])).toBeLessThanOrEqual(6 * 3600);
  expect(kept?.[2]).toBe('f');

  const open = postgres.ask(login, 'SELECT pg_sleep(30);');
  const ended = expect(open).rejects.toThrow('terminating connection');
  for (let tries = 0; (await sessions(login.user)) === 0 && tries < 100; tries += 1);
  await dropLogin(postgres.database, login);
  await ended;
  await expect(postgres.ask(login, 'SELECT 1;')).rejects.toThrow('password authentication failed');
});

test('logins that are over are dropped, and all others once nobody else may be at it', async () => {
  const owner = 'compta_test_owner';
  const left = await createLogin(postgres.database, owner);
  await rows('CREATE ROLE another_owner;');
  const foreign = await createLogin(postgres.database, 'another_owner');
  await rows(`CREATE ROLE compta_migration_dead LOGIN VALID UNTIL 'yesterday';`);
  expect(await dropDeadLogins(postgres.database, owner, false)).toEqual(['compta_migration_dead']);
  expect(await dropDeadLogins(postgres.database, owner, true)).toEqual([left.user]);
  const names = await rows(`SELECT rolname FROM pg_roles WHERE rolname LIKE 'compta_migration_%';`);
  expect(names.flat()).toEqual([foreign.user]);
  await dropLogin(postgres.database, foreign);
});

test('an index that could not be built is found', async () => {
  await rows('CREATE TABLE entry (id int); INSERT INTO entry VALUES (1), (1);');
  expect(await invalidIndexes(postgres.database, 'postgres')).toEqual([]);
  await expect(rows('CREATE UNIQUE INDEX CONCURRENTLY one_id ON entry (id);')).rejects.toThrow(
    'could not create unique index',
  );
  expect(await invalidIndexes(postgres.database, 'postgres')).toEqual(['one_id']);
});

test('an index that somebody rebuilds at the moment is none, and what that leaves is told apart', async () => {
  await rows('CREATE TABLE book (id int); CREATE INDEX by_id ON book (id);');
  const ours = async () =>
    (await invalidIndexes(postgres.database, 'postgres')).filter((name) => /by_id/.test(name));
  const end = (what: string) =>
    rows(`SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
          WHERE query LIKE '${what}%' AND pid <> pg_backend_pid();`);
  const held = rows('BEGIN; INSERT INTO book VALUES (1); SELECT pg_sleep(60);').catch(() => {});
  const rebuilt = rows('REINDEX INDEX CONCURRENTLY by_id;').catch(() => {});
  const made = `SELECT count(*) FROM pg_index WHERE NOT indisvalid AND indrelid = 'book'::regclass;`;
  for (let tries = 0; (await rows(made))[0]?.[0] === '0'; tries += 1) {
    if (tries > 100) throw new Error('REINDEX did not begin.');
    await pause(100);
  }
  expect(await ours()).toEqual([]);
  await end('REINDEX');
  await rebuilt;
  expect(await ours()).toEqual(['by_id_ccnew']);
  await end('SELECT pg_sleep');
  await held;
  expect(['by_id_ccnew', 'a."By id_ccold2"', 'by_id'].map(isBesideAnother)).toEqual([
    ...[true, true, false],
  ]);
});

test('a standby that falls behind is told with how much', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'compta-standby-'));
  const receiver = spawn(
    postgres.program('pg_receivewal'),
    ['-h', postgres.socket, '-p', String(postgres.port), '-U', 'postgres', '-D', folder],
    { env: { ...process.env, PGAPPNAME: 'db-2' }, stdio: 'ignore' },
  );
  const standby = `SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming';`;
  for (let tries = 0; (await rows(standby))[0]?.[0] !== '1'; tries += 1) {
    if (tries > 100) throw new Error('pg_receivewal did not begin.');
    await pause(100);
  }
  receiver.kill('SIGSTOP');
  await rows(`SELECT count(pg_logical_emit_message(false, 'wal', repeat('x', 1048576)))
              FROM generate_series(1, 64);`);
  const server = { exec: async () => ({ code: 0, stdout: 'Avail\n1', stderr: '' }) };
  const facts = await readFacts(postgres.database, server, 'postgres', { transactionMs: 60_000 });
  receiver.kill('SIGKILL');
  rmSync(folder, { recursive: true });
  expect(facts.standbys).toEqual([{ name: 'db-2', bytes: expect.any(Number) }]);
  expect(facts.standbys[0]?.bytes).toBeGreaterThan(32 * 1024 ** 2);
});

async function sessions(user: string): Promise<number> {
  const [row] = await rows(
    `SELECT count(*) FROM pg_stat_activity WHERE usename = '${user}' AND state = 'active';`,
  );
  return Number(row?.[0]);
}
