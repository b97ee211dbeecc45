import { basename } from 'node:path';
import type { Database } from './database.ts';
import type { Mismatch } from './flyway.ts';
import { MigrationRefused } from './refused.ts';

/** What `repair` would do about a mismatch, and the words that allow it. */
export interface Correction {
  version: string;
  description: string;
  /** Flyway's name for what is wrong. */
  code: string;
  does: string;
  /** Checksum in the history, and of the script; undefined when it is about something else. */
  was: string | undefined;
  becomes: string | undefined;
}

export function correctionsFor(wrong: readonly Mismatch[]): Correction[] {
  return wrong.map(({ version, description, code, message }) => {
    const was = /Applied to database\s*:\s*(-?\d+)/.exec(message)?.[1];
    const becomes = /Resolved locally\s*:\s*(-?\d+)/.exec(message)?.[1];
    return { version, description, code, does: deed(code), was, becomes };
  });
}

function deed(code: string): string {
  if (code.includes('CHECKSUM')) return 'declares the edited script to be what was applied';
  if (code.startsWith('FAILED')) return 'forgets the failed attempt, so that it runs again';
  if (code.includes('NOT_RESOLVED')) return 'marks the missing script as deleted';
  return `aligns the history with the script (${code})`;
}

/**
 * @param confirmed versions or new checksums, separated by spaces or commas.
 * @throws MigrationRefused unless each correction was named, and nothing else.
 */
export function refuseUnlessNamed(corrections: readonly Correction[], confirmed: string): void {
  const named = new Set(confirmed.split(/[\s,]+/).filter(Boolean));
  const wordFor = ({ version, becomes, description }: Correction) =>
    version || becomes || description;
  const open = corrections.filter(
    ({ version, becomes, description }) =>
      ![version, becomes, version ? undefined : description].some(
        (word) => word !== undefined && word !== '' && named.delete(word),
      ),
  );
  const list = corrections.map(explain).join('\n');
  if (open.length > 0) {
    throw new MigrationRefused(
      `Nothing was changed. repair would do this:\n${list}\nPut a script that was edited back ` +
        'instead, if you can. Otherwise allow it with ' +
        `repair-confirm: '${corrections.map(wordFor).join(' ')}' (version or new checksum of each).`,
    );
  }
  if (named.size > 0) {
    throw new MigrationRefused(
      `Nothing was changed. repair-confirm names ${[...named].join(', ')}, which repair would not ` +
        `touch. It would do this:\n${list}`,
    );
  }
}

export function explain({ version, description, does, was, becomes }: Correction): string {
  const sums = was !== undefined && becomes !== undefined ? ` (checksum ${was} → ${becomes})` : '';
  return `${version || 'repeatable'} "${description}": ${does}${sums}`;
}

const HISTORY = 'flyway_schema_history';

/** Copies the history as it stands. @returns the name of the copy. */
export async function copyHistory(database: Database, name: string): Promise<string> {
  const stamp = new Date().toISOString().replaceAll(/[-:TZ]|\.\d+/g, '');
  const copy = `${HISTORY}_before_${stamp}`;
  await database.query(name, `CREATE TABLE "${copy}" AS TABLE ${HISTORY};`);
  return copy;
}

/** Names of the scripts in the history, failed ones too: outside a transaction these may have done a part. */
export async function scriptsInHistory(database: Database, name: string): Promise<string[]> {
  const there = `SELECT 1 WHERE to_regclass('public.${HISTORY}') IS NOT NULL;`;
  if ((await database.query(name, there)).length === 0) return [];
  const rows = await database.query(name, `SELECT script FROM public.${HISTORY};`);
  return rows.map(([script = '']) => basename(script));
}
