/**
 * Keeps the tables and examples in the READMEs equal to the code:
 * `node infra/terraform/readme.ts` fails on a difference, `--write` mends it.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { code, table } from '../../lib/report/markdown.ts';
import { fill } from '../../scripts/readme.ts';
import { type Block, blocksOf } from './blocks.ts';

const root = import.meta.dirname;

/** Longer defaults are left to variables.tf. */
const LONGEST_DEFAULT = 60;

export interface Readme {
  /** Relative to this folder. */
  file: string;
  before: string;
  after: string;
}

/** Every README of a module and an environment, as it is and as it should be. */
export function readmes(): Readme[] {
  return ['modules', 'environments'].flatMap((kind) =>
    readdirSync(join(root, kind)).map((name) => refreshed(join(kind, name))),
  );
}

function refreshed(part: string): Readme {
  const folder = join(root, part);
  const before = readFileSync(join(folder, 'README.md'), 'utf8');
  const example = join(folder, 'examples/basic/main.tf');
  let after = fill(before, 'variables', variableTable(source(folder, 'variables.tf')));
  after = fill(after, 'outputs', outputTable(source(folder, 'outputs.tf')));
  if (existsSync(example))
    after = fill(after, 'example', code(readFileSync(example, 'utf8'), 'hcl'));
  return { file: join(part, 'README.md'), before, after };
}

function source(folder: string, name: string): Block[] {
  return blocksOf(readFileSync(join(folder, name), 'utf8'));
}

function variableTable(blocks: readonly Block[]): string {
  return table(
    ['variable', 'what', 'type', 'default'],
    blocks.map(({ name, attributes: { description = '', type = '', default: value } }) => [
      `\`${name}\``,
      description,
      `\`${type}\``,
      value === undefined ? '**required**' : shown(value),
    ]),
  );
}

function shown(value: string): string {
  return value.length > LONGEST_DEFAULT ? 'see `variables.tf`' : `\`${value}\``;
}

function outputTable(blocks: readonly Block[]): string {
  return table(
    ['output', 'what'],
    blocks.map(({ name, attributes: { description = '' } }) => [`\`${name}\``, description]),
  );
}

if (import.meta.main) {
  const write = process.argv.includes('--write');
  const stale = readmes().filter(({ before, after }) => before !== after);
  for (const { file, after } of stale) {
    if (write) writeFileSync(join(root, file), after);
    console.log(`${write ? 'written' : 'out of date'}: infra/terraform/${file}`);
  }
  if (stale.length > 0 && !write) {
    console.error('Run `node infra/terraform/readme.ts --write` and commit the result.');
    process.exitCode = 1;
  }
}
