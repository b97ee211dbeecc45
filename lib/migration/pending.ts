import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Script } from './flyway.ts';
import { type Intent, intentOf } from './intent.ts';
import { MigrationRefused } from './refused.ts';
import { runsOutsideTransaction } from './sql.ts';

/** A script that is to be applied, read and understood. */
export interface Pending {
  /** '' for a repeatable script. */
  version: string;
  description: string;
  file: string;
  path: string;
  sql: string;
  /** undefined when it does not say. */
  intent: Intent | undefined;
  /** PostgreSQL refuses it inside a transaction. */
  outside: boolean;
}

export function readPending(scripts: readonly Script[]): Pending[] {
  return scripts.flatMap(({ version, description, filepath }) => {
    if (!filepath) return [];
    const sql = readFileSync(filepath, 'utf8');
    const file = basename(filepath);
    return {
      version: version ?? '',
      description,
      file,
      path: filepath,
      sql,
      intent: intentOf(sql),
      outside: runsOutsideTransaction(sql),
    };
  });
}

/**
 * @throws MigrationRefused for a script that a file of settings beside it takes out of its transaction:
 * cut in its middle it would run again from its beginning.
 */
export function refuseTakenOut(scripts: readonly { path: string }[]): void {
  const taken = scripts
    .map(({ path }) => `${path}.conf`)
    .filter(
      (path) => existsSync(path) && /^\s*executeInTransaction/im.test(readFileSync(path, 'utf8')),
    );
  if (taken.length === 0) return;
  throw new MigrationRefused(
    `Nothing was changed. ${taken.map((path) => basename(path)).join(', ')}: executeInTransaction is ` +
      'not to be set. A script runs in one transaction with its line in the history, and outside only ' +
      'if PostgreSQL refuses it inside (CONCURRENTLY, VACUUM, …). Take that line out.',
  );
}

/** Scripts that Flyway is given in one go: those outside a transaction each in a run of its own. */
export function runsOf<T extends { outside: boolean }>(pending: readonly T[]): T[][] {
  const runs: T[][] = [];
  for (const script of pending) {
    const last = runs.at(-1);
    if (last && !script.outside && last[0]?.outside === false) last.push(script);
    else runs.push([script]);
  }
  return runs;
}

/**
 * A folder below `temp` with the scripts of another but those that wait for a later run. Flyway's
 * own `target` would let repeatable scripts through.
 */
export function folderWithout(
  folder: string,
  later: readonly { file: string }[],
  temp: string,
): string {
  if (later.length === 0) return folder;
  const waiting = new Set(later.flatMap(({ file }) => [file, `${file}.conf`]));
  const target = mkdtempSync(join(temp, 'run-'));
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (!waiting.has(name) && existsSync(path)) copyFileSync(path, join(target, name));
  }
  return target;
}
