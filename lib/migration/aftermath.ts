import { z } from 'zod';
import type { Database } from './database.ts';
import { tablesNamed } from './sql.ts';

/** A table that a script named, before and after. */
export interface Touched {
  /** `schema.table` */
  table: string;
  /** As the backup counted them; undefined when it did not know the table, or there was none. */
  rowsBefore: number | undefined;
  /** undefined when the table is gone. */
  rowsAfter: number | undefined;
  columns: number;
  /** Constraints that hold for new rows only, until somebody validates them. */
  notValid: string[];
}

const tables = z.array(
  z.object({
    schema: z.string(),
    name: z.string(),
    /** Quoted by the server, so that it can stand in a query. */
    quoted: z.string(),
    columns: z.number(),
    notValid: z.array(z.string()),
  }),
);

const ORDINARY = `n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'`;

/** Counts and constraints of what the scripts named, as they are now. */
export async function touchedTables(
  database: Database,
  name: string,
  scripts: readonly string[],
  before: Readonly<Record<string, number>>,
): Promise<Touched[]> {
  const found = tables.parse(
    await database.json(
      name,
      `SELECT coalesce(json_agg(json_build_object('schema', n.nspname, 'name', c.relname,
          'quoted', format('%I.%I', n.nspname, c.relname),
          'columns', (SELECT count(*) FROM pg_attribute AS a
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
          'notValid', (SELECT coalesce(json_agg(conname ORDER BY conname), '[]') FROM pg_constraint
            WHERE conrelid = c.oid AND NOT convalidated)) ORDER BY 1), '[]')
       FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
       WHERE c.relkind IN ('r', 'p') AND ${ORDINARY};`,
    ),
  );
  const named = tablesNamed(found, scripts);
  const rows = await countRows(database, name, named);
  const gone = tablesNamed(
    Object.keys(before)
      .map((table) => ({ table, name: table.slice(table.indexOf('.') + 1) }))
      .filter(({ table }) => !found.some(({ schema, name }) => `${schema}.${name}` === table)),
    scripts,
  );
  return [
    ...named.map(({ schema, name: table, columns, notValid }, index) => ({
      table: `${schema}.${table}`,
      rowsBefore: before[`${schema}.${table}`],
      rowsAfter: rows[index],
      columns,
      notValid,
    })),
    ...gone.map(({ table }) => ({
      table,
      rowsBefore: before[table],
      rowsAfter: undefined,
      columns: 0,
      notValid: [],
    })),
  ];
}

async function countRows(
  database: Database,
  name: string,
  named: readonly { quoted: string }[],
): Promise<number[]> {
  if (named.length === 0) return [];
  const counts = named.map(({ quoted }) => `(SELECT count(*) FROM ${quoted})`);
  // Whoever holds a table that a script wanted would hold up the count as well.
  const sql = `SET lock_timeout = '10s'; SELECT json_build_array(${counts.join(', ')});`;
  return z.array(z.number()).parse(await database.json(name, sql));
}

/** What a person should look at, though nothing failed. */
export function remarksOn(touched: readonly Touched[]): string[] {
  return touched.flatMap(({ table, rowsBefore, rowsAfter, notValid }) => [
    ...(rowsBefore !== undefined && rowsAfter === undefined
      ? [`${table} is gone; it had ${rowsBefore} rows in the backup`]
      : []),
    ...(rowsBefore !== undefined && rowsAfter !== undefined && rowsAfter < rowsBefore
      ? [`${table} has ${rowsAfter} rows, and had ${rowsBefore} in the backup`]
      : []),
    ...notValid.map(
      (constraint) =>
        `${constraint} of ${table} holds for new rows only: ` +
        `ALTER TABLE ${table} VALIDATE CONSTRAINT ${constraint};`,
    ),
  ]);
}

/**
 * Indexes that a failed CREATE INDEX or REINDEX CONCURRENTLY left behind: they cost writes and help nobody.
 * One that somebody else, such as the weekly rebuild, is at now is none; a cut run of ours may still be.
 */
export async function invalidIndexes(database: Database, name: string): Promise<string[]> {
  const rows = await database.query(
    name,
    `SELECT i.indexrelid::regclass::text FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
     WHERE NOT i.indisvalid AND NOT EXISTS (
       SELECT FROM pg_stat_progress_create_index AS p JOIN pg_stat_activity AS a USING (pid)
       WHERE p.datname = current_database() AND a.usename !~ '^compta_migration_'
         AND (p.index_relid = c.oid OR p.relid = i.indrelid AND c.relname ~ '_cc(new|old)[0-9]*$'))
     ORDER BY 1;`,
  );
  return rows.map(([index]) => index ?? '');
}

/** Whether it is what REINDEX CONCURRENTLY made beside an index that is still there. */
export const isBesideAnother = (index: string): boolean => /_cc(?:new|old)\d*"?$/.test(index);
