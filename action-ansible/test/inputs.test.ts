import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { runAction } from '../../lib/runner/test/start-action.ts';
import { keyPair } from '../../lib/ssh/key-pair.ts';

const key = keyPair();
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'compta-inputs-'));
  for (const name of ['site.yml', 'hosts.yml']) writeFileSync(join(folder, name), '');
});
afterAll(() => rmSync(folder, { recursive: true }));

test.each<[Record<string, string>, string]>([
  [{ playbook: '' }, "Input 'playbook' is missing"],
  [{ playbook: 'sit.yml' }, "Input 'playbook' is 'sit.yml', which does not exist"],
  [{ inventory: 'staging' }, "Input 'inventory' is 'staging', which does not exist"],
  [{ 'known-hosts': '' }, 'is missing, and so is terraform-outputs: host keys are always checked'],
  [{ 'terraform-outputs': 'none.json' }, "'terraform-outputs' is 'none.json', which does not"],
  [{ 'private-key': key.public }, 'It looks like the public half'],
  [{ 'private-key': key.private.slice(0, 200) }, "Input 'private-key' is not usable"],
  [{ 'private-key': 'hunter2hunter2' }, 'private-key is not a private key: it does not start with'],
  [{ 'vault-ids': 'production' }, "Input 'vault-ids' has no 'label=password' in line 1"],
  [{ 'jump-host': 'root@bastion -oProxyCommand=x' }, "Input 'jump-host' is 'root@bastion -oP"],
  [{ strategy: 'fast' }, "Input 'strategy' is 'fast': give one of linear, free, mitogen_linear"],
  [{ 'task-timeout': 'soon' }, "Input 'task-timeout' is 'soon': give a duration"],
  [{ mode: 'dry' }, "Input 'mode' is 'dry': give one of run, check"],
  [{ version: '2.19' }, "Input 'version' is '2.19': give an exact version"],
  [{ timeout: 'soon' }, "Input 'timeout' is 'soon': give a duration"],
  [{ 'retry-unreachable': '99' }, "Input 'retry-unreachable' is '99'"],
  [{ timeout: '0' }, "Input 'timeout' is '0': give more than 0"],
  [{ 'task-timeout': '1000h' }, "Input 'task-timeout' is '1000h': give at most 596h"],
  [{ 'secret-vars': '[1, 2]' }, "Input 'secret-vars' is not valid"],
  [{ 'extra-vars': '[1, 2]' }, "Input 'extra-vars' is not valid"],
  [{ 'release-lease': '15m' }, "Input 'release-lease' needs 'terraform-outputs'"],
  [{ requirements: 'none.yml' }, "Input 'requirements' is 'none.yml', which does not exist"],
])('%o ends with one annotation', async (wrong, message) => {
  const ended = await start(wrong);
  expect(ended).toMatchObject({ exitCode: 1, outputs: {} });
  expect(ended.errors).toEqual([expect.stringContaining(message)]);
});

test('secrets that are not YAML are not quoted', async () => {
  const ended = await start({ 'secret-vars': 'token: swordfish: 77' });
  expect(ended.errors).toEqual([
    "Input 'secret-vars' is not YAML; where is not shown, as it is a secret.",
  ]);
  expect(ended.stdout).not.toContain('swordfish');
});

function start(inputs: Record<string, string>) {
  return runAction('action-ansible', {
    playbook: 'site.yml',
    directory: folder,
    inventory: 'hosts.yml',
    'known-hosts': 'host ssh-ed25519 AAAA',
    'private-key': key.private,
    ...inputs,
  });
}
