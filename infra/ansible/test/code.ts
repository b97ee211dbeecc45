import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fillVault } from '../../../local-cloud/vault.ts';

const infra = resolve(import.meta.dirname, '../..');

/** Playbooks, roles and inventories, with a vault for staging. */
export interface AnsibleCode {
  directory: string;
  /** File with the key of its vault. */
  vaultKey: string;
  remove(): void;
}

/** A copy of this folder with a vault made for it: the one beside the code opens for its owners alone. */
export async function copyOfAnsible(): Promise<AnsibleCode> {
  const folder = mkdtempSync(join(tmpdir(), 'compta-ansible-'));
  for (const part of ['ansible', 'docker/monitoring', 'scripts/setup']) {
    cpSync(join(infra, part), join(folder, part), {
      recursive: true,
      filter: (path) => !path.endsWith('all.vault.yml'),
    });
  }
  const vaultKey = join(folder, 'vault-key');
  await fillVault(folder, vaultKey);
  return {
    directory: join(folder, 'ansible'),
    vaultKey,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
