import { MigrationRefused } from './refused.ts';
import { couldBeInside } from './sql.ts';

/** What a script says of itself: whether releases before it can live with what it leaves. */
export type Intent = { kind: 'expand' } | { kind: 'contract'; since: string };

const HEADER = /^--\s*compta:\s*(.*?)\s*$/;
const CONTRACT = /^contract\s+since=(\d+(?:\.\d+)*)$/;

/** Reads the header among the comments at the top of a script; `undefined` when it has none. */
export function intentOf(sql: string): Intent | undefined {
  const said = header(sql);
  if (said === 'expand') return { kind: 'expand' };
  const since = CONTRACT.exec(said ?? '')?.[1];
  return since === undefined ? undefined : { kind: 'contract', since };
}

/** @throws MigrationRefused with the line to write, for each script that does not say what it is. */
export function refuseUnspoken(scripts: readonly { file: string; sql: string }[]): void {
  const silent = scripts.filter(({ sql }) => intentOf(sql) === undefined);
  if (silent.length === 0) return;
  const problems = silent.map(({ file, sql }) => {
    const said = header(sql);
    return said === undefined
      ? `${file} does not say whether it expands or contracts the schema`
      : `${file} says "compta: ${said}", which cannot be read`;
  });
  throw new MigrationRefused(
    `Nothing was changed. ${problems.join('; ')}: begin it with "-- compta: expand" if every ` +
      'release that runs can live with what it leaves, else with ' +
      '"-- compta: contract since=1.4.0", naming the first release that no longer needs what it ' +
      'takes away.',
  );
}

/**
 * @throws MigrationRefused for a script that needs to be outside a transaction and holds what does not:
 * cut in its middle, it has no line in the history, and runs again as a whole.
 */
export function refuseMixed(scripts: readonly { file: string; sql: string }[]): void {
  const mixed = scripts.flatMap(({ file, sql }) =>
    couldBeInside(sql).map((line) => `${file}:${line}`),
  );
  if (mixed.length === 0) return;
  throw new MigrationRefused(
    `Nothing was changed. ${mixed.join(', ')}: beside what PostgreSQL refuses in a transaction ` +
      '(CONCURRENTLY, VACUUM, …) a script may only SET: cut in the middle it would run again from its ' +
      'beginning. Put the rest into a script of its own.',
  );
}

function header(sql: string): string | undefined {
  for (const line of sql.split('\n')) {
    if (line.trim() === '') continue;
    if (!line.startsWith('--')) return undefined;
    const found = HEADER.exec(line.trim());
    if (found) return found[1];
  }
  return undefined;
}
