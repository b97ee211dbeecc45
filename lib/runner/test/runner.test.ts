import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
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

test('what tools print gives the runner no commands', () => {
  let said = '';
  const write = jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    said += String(text);
    return true;
  });
  githubRunner({}).info('a::b\n ::set-output name=passed::true\r::add-mask::a\nx ##[add-mask]a');
  write.mockRestore();
  expect(said).toBe('a::b\n : :set-output name=passed::true\r: :add-mask::a\nx ## [add-mask]a\n');
});

test('the runner is told the long lines of a secret, and not the short ones, which are ordinary text', () => {
  let said = '';
  const write = jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    said += String(text);
    return true;
  });
  const runner = githubRunner({});
  runner.mask('{\n  "password": "swordfish-77"\n}\n');
  write.mockRestore();
  const masked = said.split('\n').flatMap((line) => /^::add-mask::(.*)$/.exec(line)?.[1] ?? []);
  expect(masked).toContain('"password": "swordfish-77"');
  // As the runner takes a command: each of its lines for itself.
  const lines = masked.flatMap((form) => form.split(/%0D|%0A/));
  expect(lines.filter((line) => line.trim().length < 6)).toEqual([]);
  expect(runner.redact('{ "password": "swordfish-77" }')).toBe('{ *** }');
});

test('a summary that is too long for GitHub keeps its beginning, and says that it was cut', () => {
  const file = join(folder, 'summary');
  writeFileSync(file, '');
  const runner = githubRunner({ GITHUB_STEP_SUMMARY: file });
  runner.summary(`### ❌ refused\n${'| HIGH | CVE-2024-0001 | libfoo 1.2.3 |\n'.repeat(40_000)}`);
  runner.summary('and more');
  const text = readFileSync(file, 'utf8');
  expect(text).toMatch(/^### ❌ refused\n/);
  expect(text).toMatch(/\n_The rest is left out: .*_\n$/);
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(1_000_000);
});
