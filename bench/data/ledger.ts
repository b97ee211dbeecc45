import type { World } from '../../infra/ansible/roles/backup/test/world.ts';

/**
 * Makes the database `ledger` with so many journal lines, two to an entry, as books have them:
 * about 100 bytes a line with its indexes. The same number gives the same books.
 *
 * @returns bytes of the database.
 */
export function makeLedger(world: World, lines: number): number {
  world.sql('postgres', 'SET client_min_messages = error;\nDROP DATABASE IF EXISTS ledger');
  world.sql('postgres', 'CREATE DATABASE ledger');
  world.sql(
    'ledger',
    `CREATE TABLE account (code text PRIMARY KEY, label text NOT NULL);
     INSERT INTO account SELECT (100000 + n)::text, 'Compte ' || n FROM generate_series(1, 500) AS n;
     CREATE TABLE journal_line (
       id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, entry bigint NOT NULL, account text NOT NULL,
       day date NOT NULL, debit numeric(15,3) NOT NULL, credit numeric(15,3) NOT NULL, label text NOT NULL);
     INSERT INTO journal_line (entry, account, day, debit, credit, label)
     SELECT n / 2, (100001 + (hashint8(n) & 255))::text, DATE '2016-01-01' + (n * 3650 / ${lines})::int,
       CASE n % 2 WHEN 0 THEN amount ELSE 0 END, CASE n % 2 WHEN 1 THEN amount ELSE 0 END, 'Facture ' || n / 2
     FROM generate_series(1::bigint, ${lines}) AS n, LATERAL (SELECT (hashint8(n / 2) & 8388607) / 1000.0) AS a (amount);
     CREATE INDEX ON journal_line (account, day);
     VACUUM ANALYZE;`,
  );
  return Number(world.sql('ledger', "SELECT pg_database_size('ledger')"));
}
