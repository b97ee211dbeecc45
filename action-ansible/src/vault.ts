import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseDocument } from 'yaml';
import type { Runner } from '../../lib/runner/runner.ts';
import type { Inputs } from './inputs.ts';
import { decryptVault, vaultBlocks } from './vault-cipher.ts';

/** A file with something encrypted in it: as a whole, or single values. */
export interface VaultFile {
  path: string;
  blocks: string[];
  /** Ansible loads it for some host of this run, so a password has to open it. */
  needed: boolean;
}

const OTHERS = new Set(['.git', 'node_modules', '.terraform', '.venv']);

/** Vault files and `!vault` values that a run of the playbook could come across. */
export function findVaults(inputs: Pick<Inputs, 'directory' | 'inventory' | 'playbook'>) {
  const { directory, inventory, playbook } = inputs;
  const around = [
    statSync(inventory).isDirectory() ? inventory : dirname(inventory),
    dirname(join(directory, playbook)),
  ];
  const variables = around.flatMap((folder) =>
    ['group_vars', 'host_vars'].flatMap((name) => filesBelow(join(folder, name))),
  );
  const needed = new Set([...variables, ...filesBelow(inventory)]);
  return [...new Set([...needed, ...filesBelow(directory)])]
    .map((path) => ({ path, blocks: blocksOf(path), needed: needed.has(path) }))
    .filter(({ blocks }) => blocks.length > 0);
}

function filesBelow(path: string): string[] {
  if (!existsSync(path)) return [];
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { withFileTypes: true })
    .filter(({ name }) => !OTHERS.has(name))
    .flatMap((entry) => filesBelow(join(path, entry.name)));
}

function blocksOf(path: string): string[] {
  const bytes = readFileSync(path);
  return bytes.includes('$ANSIBLE_VAULT') ? vaultBlocks(bytes.toString()) : [];
}

/**
 * Masks everything that is encrypted, so that neither Ansible's log nor anything we write can
 * show it. Returns how many values were too short to be masked without hiding ordinary text.
 * What no password opens in a file that the hosts do not need stays closed for Ansible too.
 *
 * @throws Error that names the file when a needed one cannot be opened.
 */
export function maskVaults(
  runner: Runner,
  files: readonly VaultFile[],
  passwords: readonly string[],
): number {
  let short = 0;
  for (const { path, blocks, needed } of files) {
    for (const block of blocks) {
      const text = decryptVault(block, passwords);
      if (text === undefined && needed) throw new Error(closed(path, passwords));
      for (const value of text === undefined ? [] : valuesOf(text)) {
        if (value.trim().length < 6) short += 1;
        else runner.mask(value);
      }
    }
  }
  return short;
}

function closed(path: string, passwords: readonly string[]): string {
  return passwords.length === 0
    ? `Input 'vault-password' is missing: ${path} cannot be read without.`
    : `The vault password does not open ${path}: check 'vault-password' and 'vault-ids'.`;
}

/** A vault file is a map of variables; an inline value, or a file to be copied, is one secret. */
function valuesOf(text: string): string[] {
  // As texts: a long number would lose digits, and then not be the one that Ansible prints.
  const document = parseDocument(text, { schema: 'failsafe', logLevel: 'silent' });
  const value: unknown = document.errors.length === 0 ? document.toJS() : text;
  return typeof value === 'object' ? scalars(value) : [text];
}

/** The leaves that can be secrets: texts and numbers, not booleans or nothing. */
export function scalars(value: unknown): string[] {
  if (typeof value === 'string' || typeof value === 'number') return [String(value)];
  if (Array.isArray(value)) return value.flatMap(scalars);
  if (value !== null && typeof value === 'object') return Object.values(value).flatMap(scalars);
  return [];
}
