import { code, details, elapsed, table, type Verdict, verdict } from '../../lib/report/markdown.ts';
import type { Backup } from './backup.ts';
import type { Migration, Script } from './flyway.ts';

export interface Outcome {
  command: string;
  database: string;
  dryRun: boolean;
  before: string;
  after: string;
  pending: readonly Script[];
  applied: Migration['migrations'];
  backup: Backup | undefined;
  /** Text of each pending script, by file name, for a dry run. */
  sql: ReadonlyMap<string, string>;
  problems: readonly string[];
}

export function summary(outcome: Outcome): string {
  const { pending, applied, backup, problems } = outcome;
  return [
    verdict(...sentence(outcome)),
    ...(problems.length > 0 ? ['', ...problems.map((problem) => `- ${problem}`)] : []),
    ...(applied.length > 0 ? ['', appliedTable(applied)] : []),
    ...(applied.length === 0 && pending.length > 0 ? ['', pendingTable(pending)] : []),
    ...(backup ? ['', backupLine(backup)] : []),
    ...[...outcome.sql].map(([file, text]) => `\n${details(file, code(text, 'sql'))}`),
  ].join('\n');
}

function sentence(outcome: Outcome): [Verdict, string] {
  const { database, pending, applied, problems, before, after } = outcome;
  if (problems.length > 0)
    return ['failed', `${database}: ${outcome.command} found ${problems.length} problems`];
  if (applied.length > 0) {
    return [
      'passed',
      `${database}: ${applied.length} scripts applied, schema ${before} → ${after}`,
    ];
  }
  if (pending.length === 0) return ['unchanged', `${database}: schema ${before} is current`];
  const why = outcome.dryRun ? 'dry run, nothing was changed' : outcome.command;
  return ['warning', `${database}: ${pending.length} scripts pending (${why})`];
}

function appliedTable(applied: Outcome['applied']): string {
  return table(
    ['version', 'script', 'time'],
    applied.map(({ version, description, executionTime }) => [
      version,
      description,
      elapsed(executionTime),
    ]),
  );
}

function pendingTable(pending: readonly Script[]): string {
  return table(
    ['version', 'script', 'kind'],
    pending.map(({ version, description, category }) => [version ?? '', description, category]),
  );
}

/** Says which proof the backup has, and how to go back to it. */
function backupLine({ path, proof, tables, seconds, sha256 }: Backup): string {
  const rows = Object.values(tables).reduce((sum, count) => sum + count, 0);
  return (
    `**Backup first:** \`${path}\`, ${proof.replaceAll('-', ' ')} in ${seconds} s ` +
    `(${Object.keys(tables).length} tables, ${rows} rows, sha256 \`${sha256.slice(0, 12)}…\`)`
  );
}
