import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { githubRunner } from '../runner.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'compta-everyday-'));
  process.env.GITHUB_OUTPUT = join(folder, 'output');
  writeFileSync(process.env.GITHUB_OUTPUT, '');
});
afterEach(() => {
  delete process.env.GITHUB_OUTPUT;
  rmSync(folder, { recursive: true });
});

test('an output has no secret in it, and still leads to a file whose path has one', () => {
  const runner = githubRunner();
  runner.mask('everyday');
  const report = join(folder, 'report');
  writeFileSync(report, '');
  runner.output('report', report);
  runner.output('nowhere', `${report}-of-nobody`);
  runner.output('greeting', 'an everyday greeting');
  const outputs = readFileSync(join(folder, 'output'), 'utf8');
  expect(outputs).toContain(`\n${report}\n`);
  expect(outputs).not.toContain(`${report}-of-nobody`);
  expect(outputs).toContain('\nan *** greeting\n');
});
