import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { run } from '../lib/process/run.ts';
import { checkout } from '../local-cloud/claim.ts';

/** Figures by name; a unit is part of the name. */
export type Figures = { [name: string]: number | string | boolean | Figures | Figures[] };

/** Puts a scenario's figures in the place of its earlier ones, with when, where and on what. */
export async function record(file: string, scenario: string, figures: Figures): Promise<void> {
  const all = existsSync(file)
    ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>)
    : {};
  all[scenario] = {
    date: new Date().toISOString(),
    machine: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    commit: await commit(),
    figures,
  };
  writeFileSync(file, `${JSON.stringify(all, null, 2)}\n`);
}

async function commit(): Promise<string> {
  const { stdout } = await run(['git', 'describe', '--always', '--dirty', '--exclude', '*'], {
    cwd: checkout,
  });
  return stdout.trim();
}
