import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { migrateCommand } from '../src/migrate.ts';
import { commandLineRunner } from '../src/runner.ts';

test('a key that is named goes before the one of the environment', () => {
  const folder = mkdtempSync(join(tmpdir(), 'compta-cli-'));
  const file = join(folder, 'key');
  writeFileSync(file, 'of production\n');
  const environment = { COMPTA_SSH_KEY: 'of staging' };
  const key = (values: Record<string, string>) =>
    commandLineRunner(values, environment).input('private-key');
  expect(key({ 'private-key': file })).toBe('of production');
  expect(key({})).toBe('of staging');
  rmSync(folder, { recursive: true });
});

test('migrate too finds the servers by COMPTA_TERRAFORM_OUTPUTS', async () => {
  process.env.COMPTA_TERRAFORM_OUTPUTS = '/nowhere/outputs.json';
  const begun = migrateCommand(
    ['--database', 'x', '--locations', '.'],
    new AbortController().signal,
  );
  await expect(begun).rejects.toThrow('/nowhere/outputs.json');
  delete process.env.COMPTA_TERRAFORM_OUTPUTS;
});
