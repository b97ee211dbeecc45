import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { InputError, lines, optionalSecret } from '../../lib/runner/inputs.ts';
import type { Runner } from '../../lib/runner/runner.ts';

/** A password and the label that `ansible-vault encrypt --vault-id` gave it. */
export interface VaultPassword {
  label: string;
  password: string;
}

/** From `vault-password` (the label `default`) and the lines `label=password` of `vault-ids`. */
export function vaultPasswords(runner: Runner): VaultPassword[] {
  const password = optionalSecret(runner, 'vault-password');
  const single = password === undefined ? [] : [{ label: 'default', password }];
  const labelled = lines(runner, 'vault-ids').map((line, index) => {
    const [, label, secret] = /^([\w.-]+)=(.+)$/.exec(line) ?? [];
    runner.mask(secret ?? line);
    if (label === undefined || secret === undefined) {
      throw new InputError('vault-ids', `has no 'label=password' in line ${index + 1}.`);
    }
    return { label, password: secret };
  });
  return [...single, ...labelled];
}

/**
 * Writes each into a file of its own, 0600.
 * @returns ANSIBLE_VAULT_IDENTITY_LIST: files, as a password has no place in argv or environment
 */
export function writeVaultPasswords(passwords: readonly VaultPassword[], folder: string): string {
  return passwords
    .map(({ label, password }, index) => {
      const file = join(folder, `vault-${index}`);
      writeFileSync(file, password, { mode: 0o600 });
      return `${label}@${file}`;
    })
    .join(',');
}
