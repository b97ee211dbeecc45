import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { run } from '../../lib/process/run.ts';
import { vaultKey } from '../../local-cloud/identity.ts';
import { pushNextVersion, VAULT_FILE } from '../repository.ts';

const root = resolve(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'compta-repository-'));
const checkout = join(folder, 'checkout');
const instance = { number: 12, stateDirectory: join(folder, 'state') };
afterAll(() => rmSync(folder, { recursive: true }));

function write(path: string, content: string): void {
  mkdirSync(dirname(join(checkout, path)), { recursive: true });
  writeFileSync(join(checkout, path), content);
}

/** @returns the clone's vault as it is pushed */
async function push(): Promise<string> {
  const { workspace } = await pushNextVersion(checkout, instance);
  await run(['git', '-C', workspace, 'diff', '--exit-code', 'origin/develop']);
  return readFileSync(join(workspace, VAULT_FILE), 'utf8');
}

test('what is pushed has a vault that stays, whatever vault the checkout has', async () => {
  const script = 'infra/scripts/setup/generate-secrets.sh';
  write('examples/services/VERSION', '1.0.0\n');
  const variables = 'a: "{{ vault_a_password }}"\nb: "{{ vault_bank_api_key }}"\n';
  write(join(dirname(VAULT_FILE), 'all.yml'), variables);
  write(script, '');
  cpSync(join(root, script), join(checkout, script));
  write(VAULT_FILE, 'a vault with a key that is elsewhere');
  mkdirSync(instance.stateDirectory);
  await run(['git', 'init', '--quiet', checkout]);

  const vault = await push();
  const view = ['ansible-vault', 'view', `--vault-password-file=${vaultKey(instance)}`, '-'];
  const { stdout } = await run(view, { input: vault });
  expect(stdout).toMatch(
    /^vault_a_password: '\w{48}'\nvault_bank_api_key: 'no-account-elsewhere'$/m,
  );

  write(VAULT_FILE, 'another one');
  expect(await push()).toBe(vault);
  rmSync(join(checkout, VAULT_FILE));
  expect(await push()).toBe(vault);
});

test('a link to a folder is pushed as a link, also anew', async () => {
  write('examples/services/VERSION', '1.0.0\n');
  write('real/file', '');
  symlinkSync('real', join(checkout, 'link'));
  await push();
  const { workspace } = await pushNextVersion(checkout, instance);
  expect(readlinkSync(join(workspace, 'link'))).toBe('real');
  expect(readFileSync(join(workspace, 'link/file'), 'utf8')).toBe('');
});
