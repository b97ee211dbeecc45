/**
 * Keeps the input and output tables of the action READMEs equal to their action.yml:
 * `node scripts/readme.ts` fails on a difference, `--write` mends it.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import { table } from '../lib/report/markdown.ts';

const root = resolve(import.meta.dirname, '..');

interface Field {
  description?: string;
  required?: boolean;
  default?: string;
}

interface Metadata {
  inputs?: Record<string, Field>;
  outputs?: Record<string, Field>;
}

/** @throws Error when a field has no description, as the table would then say nothing. */
function described(action: string, name: string, field: Field): string {
  const text = field.description?.trim().replaceAll(/\s*\n\s*/g, ' ');
  if (!text) throw new Error(`${action}/action.yml: '${name}' has no description.`);
  return text;
}

function inputTable(action: string, inputs: Record<string, Field>): string {
  return table(
    ['input', 'what', 'default'],
    Object.entries(inputs).map(([name, field]) => [
      `\`${name}\``,
      described(action, name, field),
      field.required ? '**required**' : field.default ? `\`${field.default.trim()}\`` : '',
    ]),
  );
}

function outputTable(action: string, outputs: Record<string, Field>): string {
  return table(
    ['output', 'what'],
    Object.entries(outputs).map(([name, field]) => [`\`${name}\``, described(action, name, field)]),
  );
}

/** Replaces what stands between `<!-- name -->` and `<!-- /name -->`. */
export function fill(readme: string, name: string, content: string): string {
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const start = readme.indexOf(open);
  const end = readme.indexOf(close);
  if (start < 0 || end < start) throw new Error(`README.md has no ${open} … ${close}`);
  return `${readme.slice(0, start + open.length)}\n${content}\n${readme.slice(end)}`;
}

function refreshed(action: string): { file: string; before: string; after: string } {
  const file = join(root, action, 'README.md');
  const metadata = parse(readFileSync(join(root, action, 'action.yml'), 'utf8')) as Metadata;
  const before = readFileSync(file, 'utf8');
  const withInputs = fill(before, 'inputs', inputTable(action, metadata.inputs ?? {}));
  const after = fill(withInputs, 'outputs', outputTable(action, metadata.outputs ?? {}));
  return { file, before, after };
}

if (import.meta.main) {
  const write = process.argv.includes('--write');
  const actions = readdirSync(root).filter(
    (name) => name.startsWith('action-') && existsSync(join(root, name, 'action.yml')),
  );
  const stale = actions.map(refreshed).filter(({ before, after }) => before !== after);
  for (const { file, after } of stale) {
    if (write) writeFileSync(file, after);
    console.log(`${write ? 'written' : 'out of date'}: ${file}`);
  }
  if (stale.length > 0 && !write) {
    console.error('Run `npm run readme` and commit the result.');
    process.exitCode = 1;
  }
}
