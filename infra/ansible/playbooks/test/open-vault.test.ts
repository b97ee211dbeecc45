import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';

const folder = mkdtempSync(join(tmpdir(), 'compta-vault-'));
const another = join(folder, 'another');
writeFileSync(another, 'a'.repeat(64), { mode: 0o600 });
afterAll(() => rmSync(folder, { recursive: true }));

/** By hand, where no action looks at the vault before. */
function setUp(environment: string, ...options: string[]): string {
  const variables = { compta_environment: environment, ansible_become: false };
  const { ANSIBLE_VAULT_PASSWORD_FILE: _, ...env } = process.env;
  const { status, stdout } = spawnSync(
    'ansible-playbook',
    [
      ...['playbooks/setup-base.yml', '--inventory=localhost,', '--connection=local'],
      ...[`--extra-vars=${JSON.stringify(variables)}`, ...options],
    ],
    { cwd: resolve(import.meta.dirname, '../..'), encoding: 'utf8', env },
  );
  expect(status).toBe(2);
  return stdout.replaceAll(/\s+/g, ' ');
}

test.each([
  ['no password', []],
  ['another password', [`--vault-password-file=${another}`]],
])(
  'with %s it is said which vault is closed, and what opens it',
  (_what, options) => {
    const said = setUp('staging', ...options);
    expect(said).toMatch(
      /staging\/group_vars\/all\.vault\.yml was not opened: give the password that it was encrypted with, as --vault-password-file/,
    );
    expect(said).toMatch(/ok=1 .*failed=1 .*rescued=1/);
  },
  60_000,
);

test('a vault that is not there is said to be missing', () => {
  expect(setUp('moon')).toMatch(
    /moon\/group_vars\/all\.vault\.yml was not opened: it is not there/,
  );
}, 60_000);
