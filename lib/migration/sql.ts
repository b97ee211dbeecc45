/** What can be told of a script by reading it, without a database. */

/**
 * The text with comments blanked out, and quoted text too unless it is to be kept. Lines and
 * columns stay where they are.
 */
export function blanked(sql: string, quoted: 'blank' | 'keep' = 'blank'): string {
  return sql.replaceAll(TOKENS, (token) =>
    quoted === 'keep' && !/^(--|\/\*)/.test(token) ? token : token.replaceAll(/[^\n]/g, ' '),
  );
}

/** Line comments, block comments, strings, dollar quotes; the earliest wins. Names stay. */
const TOKENS =
  /--[^\n]*|\/\*[\s\S]*?\*\/|\b[eE]'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*'|\$(\w*)\$[\s\S]*?\$\1\$/g;

/** Whether PostgreSQL refuses to run it inside a transaction. */
export function runsOutsideTransaction(sql: string): boolean {
  return OUTSIDE.test(blanked(sql));
}

/**
 * Lines of the statements in a script outside a transaction that need not be there; settings aside.
 * One that was cut would run again, and so would they.
 */
export function couldBeInside(sql: string): number[] {
  const text = blanked(sql);
  if (!OUTSIDE.test(text)) return [];
  return [...text.matchAll(/[^;]+/g)].flatMap(({ 0: statement, index }) =>
    OUTSIDE.test(statement) || /^\s*(?:(?:SET|RESET)\b|$)/i.test(statement)
      ? []
      : text.slice(0, index + statement.search(/\S/)).split('\n').length,
  );
}

const OUTSIDE =
  /\bCONCURRENTLY\b|(?:^|;)\s*(?:VACUUM\b|ALTER\s+SYSTEM\b|(?:CREATE|DROP)\s+(?:DATABASE|TABLESPACE|SUBSCRIPTION)\b|REINDEX\s+(?:\([^)]*\)\s*)?(?:DATABASE|SCHEMA|SYSTEM)\b)/i;

/** Statements that take something away and that squawk has no rule for, with their lines. */
export function takesAway(sql: string): { line: number; what: string }[] {
  const text = blanked(sql);
  return [...text.matchAll(TAKES_AWAY)].map((found) => ({
    line: text.slice(0, found.index + (found[1] ?? '').length).split('\n').length,
    what: (found[2] ?? '').replaceAll(/\s+/g, ' ').toUpperCase(),
  }));
}

const TAKES_AWAY =
  /((?:^|;)\s*)(DROP\s+(?:MATERIALIZED\s+VIEW|VIEW|SCHEMA|TYPE|DOMAIN|SEQUENCE|FUNCTION|PROCEDURE|TRIGGER)|TRUNCATE|REVOKE)\b/gi;

/** Which of these tables a script names: rather one too many than one too few. */
export function tablesNamed<T extends { name: string }>(
  tables: readonly T[],
  scripts: readonly string[],
): T[] {
  const words = new Set(
    scripts.flatMap((sql) => blanked(sql, 'keep').match(/[\p{L}_][\p{L}\p{N}_$]*/gu) ?? []),
  );
  const lowered = new Set([...words].map((word) => word.toLowerCase()));
  return tables.filter(({ name }) => words.has(name) || lowered.has(name));
}
