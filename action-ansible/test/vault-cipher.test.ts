import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { find } from '@actions/tool-cache';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { decryptVault, vaultBlocks } from '../src/vault-cipher.ts';

const texts = ['plain', 'with\nlines\n', 'é ü 漢字 "quotes" \'too\'', 'sixteen bytes ok'];
let folder: string;
let encrypted: string[];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'compta-cipher-'));
  const password = join(folder, 'password');
  writeFileSync(password, 'right one\n');
  const program = join(find('ansible-core', '2.19.14'), 'bin', 'ansible-vault');
  const id = `prod@${password}`;
  encrypted = texts.map((input) =>
    execFileSync(program, ['encrypt', '--vault-id', id, '--output', '-'], {
      input,
      stdio: ['pipe', 'pipe', 'ignore'],
      encoding: 'utf8',
    }),
  );
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true }));

test('opens what the real ansible-vault has closed, by whichever password fits', () => {
  const opened = encrypted.map((text) =>
    decryptVault(vaultBlocks(text)[0] ?? '', ['wrong', 'right one']),
  );
  expect(opened).toEqual(texts);
});

test('a wrong password opens nothing, nor does a block that was cut or altered', () => {
  const [block = ''] = vaultBlocks(encrypted[0] ?? '');
  expect(decryptVault(block, ['wrong'])).toBeUndefined();
  expect(decryptVault(block.slice(0, -40), ['right one'])).toBeUndefined();
  expect(decryptVault('$ANSIBLE_VAULT;1.1;AES256\n6162', ['right one'])).toBeUndefined();
});

test('finds every value of a file, indented or in JSON', () => {
  const indented = (text = '') => text.trim().replaceAll('\n', '\n      ');
  const yaml = `a: !vault |\n      ${indented(encrypted[0])}\nb:\n  - !vault |\n      ${indented(encrypted[2])}\nc: 1\n`;
  const json = JSON.stringify({ d: { __ansible_vault: encrypted[1] } });
  const opened = vaultBlocks(`${yaml}${json}`).map((block) => decryptVault(block, ['right one']));
  expect(opened).toEqual([texts[0], texts[2], texts[1]]);
});
