import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';

const ansible = resolve(import.meta.dirname, '../../ansible');
const folder = mkdtempSync(join(tmpdir(), 'compta-rekey-'));
const [vault, oldKey, newKey] = ['all.vault.yml', 'old-key', 'new-key'].map((name) =>
  join(folder, name),
) as [string, string, string];
writeFileSync(oldKey, 'o'.repeat(64), { mode: 0o600 });
writeFileSync(vault, "vault_a_password: 'a'\n");
run('ansible-vault', 'encrypt', `--vault-password-file=${oldKey}`, vault);
afterAll(() => rmSync(folder, { recursive: true }));

/** What a program said, and how it ended. */
function run(...argv: [string, ...string[]]) {
  const [program, ...options] = argv;
  const { status, stdout, stderr } = spawnSync(program, options, {
    cwd: ansible,
    encoding: 'utf8',
    // As a shell has it in which playbooks are run by hand.
    env: {
      ...process.env,
      ...(program === 'ansible-playbook' && { ANSIBLE_VAULT_PASSWORD_FILE: oldKey }),
    },
  });
  return { status, stdout, said: stdout + stderr };
}

const opened = (key: string) => run('ansible-vault', 'view', `--vault-password-file=${key}`, vault);

function rotate(key: string) {
  writeFileSync(newKey, key, { mode: 0o600 });
  const variables = {
    rotation_vault: vault,
    rotation_vault_key: oldKey,
    rotation_vault_new_key: newKey,
  };
  const given = `--extra-vars=${JSON.stringify(variables)}`;
  return run('ansible-playbook', 'playbooks/rotate-vault.yml', '--inventory=localhost,', given);
}

test('another key opens the vault, the old one does not; a second run changes nothing', () => {
  const before = opened(oldKey).stdout;
  const key = 'k'.repeat(64);
  const { status, said } = rotate(key);
  expect({ status, said }).toEqual({ status: 0, said: expect.stringMatching(/changed=1 /) });
  expect(said).not.toContain(key);
  expect(opened(newKey).stdout).toBe(before);
  expect(opened(oldKey).status).not.toBe(0);

  const bytes = readFileSync(vault);
  expect(rotate(key)).toMatchObject({ status: 0, said: expect.stringMatching(/changed=0 /) });
  expect(readFileSync(vault)).toEqual(bytes);
}, 180_000);

test.each([
  ['short', 'k'.repeat(31)],
  ['the old one', readFileSync(oldKey, 'utf8').trim()],
])(
  'a key that is %s is refused, and the vault left alone',
  (_what, key) => {
    const bytes = readFileSync(vault);
    expect(rotate(key)).toMatchObject({ status: 2 });
    expect(readFileSync(vault)).toEqual(bytes);
  },
  180_000,
);
