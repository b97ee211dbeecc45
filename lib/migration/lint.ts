import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { run } from '../process/run.ts';
import { runsOutsideTransaction, takesAway } from './sql.ts';

/** What a linter says of one line of a script. */
export interface Finding {
  file: string;
  /** First line is 1. */
  line: number;
  rule: string;
  message: string;
  /** A release before this one may still need what the line takes away. */
  contracts: boolean;
}

const findings = z.array(
  z.object({
    file: z.string(),
    line: z.number(),
    rule_name: z.string(),
    message: z.string(),
    help: z.string().nullish(),
  }),
);

/** Rules whose finding the code of an earlier release would trip over. */
const CONTRACTS: ReadonlySet<string> = new Set([
  'adding-not-nullable-field',
  'adding-required-field',
  'ban-drop-column',
  'ban-drop-database',
  'ban-drop-table',
  'ban-truncate-cascade',
  'changing-column-type',
  'renaming-column',
  'renaming-table',
]);

/** The limits ride on the connection, and Flyway never runs a script twice. */
const EXCLUDED = ['require-lock-timeout', 'require-statement-timeout', 'prefer-robust-stmts'];

/**
 * squawk's findings for the scripts at these paths, and what it has no rule for.
 *
 * @throws CommandFailed when squawk cannot be run.
 */
export async function lint(squawk: string, paths: readonly string[]): Promise<Finding[]> {
  const texts = new Map(paths.map((path) => [path, readFileSync(path, 'utf8')]));
  const outside = paths.filter((path) => runsOutsideTransaction(texts.get(path) ?? ''));
  const inside = paths.filter((path) => !outside.includes(path));
  const found = [
    ...(await ask(squawk, inside, ['--assume-in-transaction'])),
    ...(await ask(squawk, outside, [])),
    ...[...texts].flatMap(([path, text]) =>
      takesAway(text).map(({ line, what }) => ({
        file: basename(path),
        line,
        rule: 'takes-away',
        message: `${what} takes away what an earlier release may still use.`,
        contracts: true,
      })),
    ),
  ];
  return found.sort((a, b) => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1));
}

/** squawk ends with 1 as soon as it has anything to say. */
async function ask(
  squawk: string,
  paths: readonly string[],
  flags: readonly string[],
): Promise<Finding[]> {
  if (paths.length === 0) return [];
  const { stdout } = await run(
    [squawk, '--reporter=json', '--pg-version=16', `--exclude=${EXCLUDED}`, ...flags, ...paths],
    { allowedExitCodes: [0, 1] },
  );
  return findings.parse(JSON.parse(stdout)).map((finding) => ({
    file: basename(finding.file),
    line: finding.line + 1,
    rule: finding.rule_name,
    message: [finding.message, finding.help].filter(Boolean).join(' '),
    contracts: CONTRACTS.has(finding.rule_name),
  }));
}

/** Where a script that came out of an image lies in the checkout, so that an annotation finds it. */
export function sourceOf(workspace: string, file: string, text: string): string | undefined {
  return globSync(`**/db/migration/${file}`, {
    cwd: workspace,
    exclude: (name) => name === 'node_modules' || name === '.git' || name === 'target',
  }).find((path) => readFileSync(join(workspace, path), 'utf8') === text);
}
