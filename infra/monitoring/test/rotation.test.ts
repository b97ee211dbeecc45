import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import nunjucks from 'nunjucks';
import { type Postgres, startPostgres } from '../../../action-db-migrate/test/postgres.ts';

const template = resolve(
  import.meta.dirname,
  '../../ansible/roles/postgresql/templates/database.sql.j2',
);
let postgres: Postgres;
const app = { user: 'postgres_app', password: 'old' };
const standIn = { user: 'postgres_stand_in', password: 'of-this-run' };
const owner = { user: 'postgres_owner', password: 'of-the-owner' };
/** As the superuser. */
const ask = async (sql: string) => (await postgres.database.query('postgres', sql)).flat().join();

/** The role's own state of a database, and a table that a migration made. */
beforeAll(async () => {
  postgres = startPostgres(15439);
  await ask(`
    CREATE ROLE pgbouncer LOGIN; CREATE ROLE postgres_exporter LOGIN; CREATE ROLE stranger LOGIN PASSWORD 'x';
    CREATE ROLE ${app.user} LOGIN PASSWORD '${app.password}';
    CREATE ROLE ${owner.user} LOGIN PASSWORD '${owner.password}';
    ALTER DATABASE postgres OWNER TO ${owner.user};`);
  const sql = nunjucks.renderString(readFileSync(template, 'utf8'), {
    postgresql_extensions: [],
    postgresql_app_statement_timeout: '30s',
  });
  await ask(`\\set database postgres\n\\set end COMMIT\n${sql}`);
  await postgres.ask(owner, 'CREATE TABLE entries AS SELECT 42 AS amount;');
}, 180_000);

afterAll(() => postgres.stop());

/** What PgBouncer gets when it asks for a client's verifier. */
const verifier = (user: string) =>
  ask(
    `SET ROLE pgbouncer; SELECT coalesce(left(phash, 13), '') FROM pgbouncer.user_lookup('${user}');`,
  );

test('a stand-in may log in and do what the service may, while its password changes', async () => {
  await ask(`
    CREATE ROLE ${standIn.user} LOGIN INHERIT PASSWORD '${standIn.password}';
    GRANT ${app.user} TO ${standIn.user};`);
  expect(await verifier(standIn.user)).toBe('SCRAM-SHA-256');
  expect(await postgres.ask(standIn, 'SELECT amount FROM entries;')).toBe('42');

  await ask(`ALTER ROLE ${app.user} PASSWORD 'new';`);
  expect(await postgres.ask(standIn, 'SELECT amount FROM entries;')).toBe('42');
  await expect(postgres.ask(app, 'SELECT 1;')).rejects.toThrow(/password authentication failed/);
  expect(await postgres.ask({ ...app, password: 'new' }, 'SELECT amount FROM entries;')).toBe('42');

  await ask(`DROP ROLE ${standIn.user};`);
  await expect(postgres.ask(standIn, 'SELECT 1;')).rejects.toThrow(/authentication failed/);
}, 180_000);

test.each([
  ['the service', app.user, 'SCRAM-SHA-256'],
  ['the owner', owner.user, ''],
  ['a superuser', 'postgres', ''],
  ['anybody else', 'stranger', ''],
])('PgBouncer is told the verifier of a service alone: %s', async (_who, user, answer) => {
  expect(await verifier(user)).toBe(answer);
});
