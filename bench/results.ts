import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { run } from '../lib/process/run.ts';
import { checkout } from '../local-cloud/claim.ts';
import { type Figures, measurementsIn } from './measurement.ts';

/** One scenario's run, with when, where and on what. */
export interface Result {
  date: string;
  machine: string;
  commit: string;
  measurements: Figures;
}

export type Results = Record<string, Result>;

/** Puts a scenario's figures in the place of its earlier ones, and the table anew. */
export function record(
  files: { results: string; table: string },
  scenario: string,
  measurements: Figures,
  commit: string,
): void {
  const all: Results = existsSync(files.results)
    ? JSON.parse(readFileSync(files.results, 'utf8'))
    : {};
  all[scenario] = {
    date: new Date().toISOString(),
    machine: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    commit,
    measurements,
  };
  writeFileSync(files.results, `${JSON.stringify(all, null, 2)}\n`);
  writeFileSync(files.table, withTable(readFileSync(files.table, 'utf8'), all));
}

const BEGIN = '<!-- measured -->';
const END = '<!-- /measured -->';

/** The document with its table of what is held to a bound. */
export function withTable(document: string, results: Results): string {
  const rows = Object.entries(results).flatMap(([scenario, { measurements, date, commit }]) =>
    measurementsIn(measurements).map(([name, { value, unit, bound, holds, beside = {} }]) => {
      const others = Object.entries(beside).map(([other, figure]) => `${other}: ${figure}`);
      const cells = [scenario, name, `${value} ${unit}`, `${holds ? '✅' : '❌'} ${bound}`];
      return `| ${[...cells, others.join(', '), `${date.slice(0, 10)}, ${commit}`].join(' | ')} |`;
    }),
  );
  const head = [
    '| scenario | what | measured | bound | beside | when, on what commit |',
    '| --- | --- | ---: | --- | --- | --- |',
  ];
  const [before = '', rest = ''] = document.split(BEGIN);
  const after = rest.split(END)[1] ?? '';
  return `${before}${BEGIN}\n\n${[...head, ...rows].join('\n')}\n\n${END}${after}`;
}

/** With `-dirty` for a checkout that differs from it in more than figures. */
export async function currentCommit(): Promise<string> {
  const git = async (...argv: string[]) =>
    (await run(['git', ...argv], { cwd: checkout })).stdout.trim();
  const figures = ['bench/results.json', 'bench/README.md'].map((file) => `:(exclude)${file}`);
  const altered = await git('status', '--porcelain', '--untracked-files=no', '--', '.', ...figures);
  return (await git('rev-parse', '--short', 'HEAD')) + (altered ? '-dirty' : '');
}
