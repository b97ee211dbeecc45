import { setImmediate as breathe } from 'node:timers/promises';
import type { Server } from './server.ts';

/** Lines that are written in one statement. */
const PORTION = 1_000_000;

/**
 * Makes the database `ledger` with so many journal lines, two to an entry, as books have them:
 * about 100 bytes a line with its indexes. The same number gives the same books.
 *
 * @returns bytes of the database.
 */
export async function makeLedger(
  { world, print, interrupted }: Server,
  lines: number,
): Promise<number> {
  world.sql('postgres', 'SET client_min_messages = error;\nDROP DATABASE IF EXISTS ledger');
  world.sql('postgres', 'CREATE DATABASE ledger');
  world.sql(
    'ledger',
    `CREATE TABLE account (code text PRIMARY KEY, label text NOT NULL);
     INSERT INTO account SELECT (100000 + n)::text, 'Compte ' || n FROM generate_series(1, 500) AS n;
     CREATE TABLE journal_line (
       id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, entry bigint NOT NULL, account text NOT NULL,
       day date NOT NULL, debit numeric(15,3) NOT NULL, credit numeric(15,3) NOT NULL, label text NOT NULL)`,
  );
  for (let from = 0; from < lines; from += PORTION) {
    const to = Math.min(from + PORTION, lines);
    world.sql('ledger', portion(from, to, lines));
    print(`  ${to.toLocaleString('en')} journal lines`);
    await breathe();
    interrupted.throwIfAborted();
  }
  world.sql('ledger', 'CREATE INDEX ON journal_line (account, day);\nVACUUM ANALYZE');
  return Number(world.sql('ledger', "SELECT pg_database_size('ledger')"));
}

/** Lines `from` to before `to` of so many: a debit and the same credit in turn, over ten years. */
const portion = (from: number, to: number, lines: number): string =>
  `INSERT INTO journal_line (entry, account, day, debit, credit, label)
   SELECT entry, (100001 + (hashint8(n) & 255))::text, DATE '2016-01-01' + (n / 2 * 7300 / ${lines})::int,
     CASE n % 2 WHEN 0 THEN amount ELSE 0 END, CASE n % 2 WHEN 1 THEN amount ELSE 0 END, 'Facture ' || entry
   FROM generate_series(${from}::bigint, ${to - 1}) AS n,
     LATERAL (SELECT n / 2, ((hashint8(n / 2) & 8388607) + 1) / 1000.0) AS e (entry, amount)`;
