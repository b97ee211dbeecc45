import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { migrateCommand } from '../src/migrate.ts';
import { commandLineRunner, userName } from '../src/runner.ts';

test.each([
  ['private-key', 'private-key', 'COMPTA_SSH_KEY'],
  ['password', 'password-file', 'COMPTA_REGISTRY_PASSWORD'],
])('a file with the %s goes before what is in the environment', (name, option, variable) => {
  const folder = mkdtempSync(join(tmpdir(), 'compta-cli-'));
  const file = join(folder, 'secret');
  writeFileSync(file, 'of production\n');
  const environment = { [variable]: 'of staging' };
  const secret = (values: Record<string, string>) =>
    commandLineRunner({ username: 'pipeline', ...values }, environment).input(name);
  expect(secret({ [option]: file })).toBe('of production');
  expect(secret({})).toBe('of staging');
  expect(() => secret({ [option]: folder })).toThrow(option);
  rmSync(folder, { recursive: true });
});

test("a registry's password in the shell is nothing to a command that logs in nowhere", () => {
  const runner = commandLineRunner({}, { COMPTA_REGISTRY_PASSWORD: 'of staging' });
  expect(runner.input('password')).toBe('');
});

test('a user without a name is one all the same', () => {
  const nameless = () => {
    throw new Error('ENOENT: no such file or directory, uv_os_get_passwd');
  };
  expect(userName(nameless)).toBe(`uid ${process.getuid?.()}`);
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

test('migrate too takes an empty option for no wish', async () => {
  const begun = migrateCommand(
    ['backup', '--database', 'x', '--backup-path='],
    new AbortController().signal,
  );
  await expect(begun).rejects.toThrow('--backup-path is empty: give a value or leave it out');
});
