import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse } from 'yaml';
import { run } from '../../lib/process/run.ts';
import type { Runner } from '../../lib/runner/runner.ts';

/** Vault files beside the inventory, which Ansible would load for some host or other. */
export function vaultFiles(inventory: string): string[] {
  const folder = statSync(inventory).isDirectory() ? inventory : dirname(inventory);
  return ['group_vars', 'host_vars']
    .flatMap((name) => filesBelow(join(folder, name)))
    .filter(isVault);
}

function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());
}

function isVault(file: string): boolean {
  return readFileSync(file).subarray(0, 14).toString() === '$ANSIBLE_VAULT';
}

/**
 * Masks every value of the vault files, so that neither Ansible's log nor anything we write
 * can show one. Returns how many were too short to be masked without hiding ordinary text.
 *
 * @throws Error that names the file when the password does not open it.
 */
export async function maskVault(
  runner: Runner,
  files: readonly string[],
  ansibleVault: string,
  env: NodeJS.ProcessEnv,
): Promise<number> {
  let short = 0;
  for (const file of files) {
    const { stdout } = await run([ansibleVault, 'decrypt', '--output', '-', file], { env }).catch(
      (cause: unknown) => {
        throw new Error(`The vault password does not open ${file}: check 'vault-password'.`, {
          cause,
        });
      },
    );
    // As texts: a long number would lose digits, and then not be the one that Ansible prints.
    for (const value of scalars(parse(stdout, { schema: 'failsafe' }))) {
      if (value.length < 6) short += 1;
      else runner.mask(value);
    }
  }
  return short;
}

/** The leaves that can be secrets: texts and numbers, not booleans or nothing. */
export function scalars(value: unknown): string[] {
  if (typeof value === 'string' || typeof value === 'number') return [String(value)];
  if (Array.isArray(value)) return value.flatMap(scalars);
  if (value !== null && typeof value === 'object') return Object.values(value).flatMap(scalars);
  return [];
}
