import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { runAction } from '../../lib/runner/test/start-action.ts';
import { inlineVault, makeProject, type Project, playbook, writeVault } from './project.ts';
import { type Sshd, startSshd } from './sshd.ts';

const password = 'planted-vault-password';
let sshd: Sshd;
let project: Project;

beforeAll(async () => {
  sshd = await startSshd(18423);
});
afterAll(() => sshd.stop());
beforeEach(() => {
  project = makeProject(sshd.port);
});
afterEach(() => project.remove());

const run = (more: Record<string, string> = {}) =>
  runAction(
    'action-ansible',
    {
      playbook: 'site.yml',
      directory: project.folder,
      inventory: 'inventory/hosts.yml',
      'known-hosts': sshd.knownHosts,
      'private-key': sshd.privateKey,
      ...more,
    },
    { RUNNER_TOOL_CACHE: process.env.RUNNER_TOOL_CACHE ?? '' },
  );
const said = (stdout: string) => stdout.replaceAll(/^::add-mask::.*$/gm, '');

test('several vaults with labels and inline values are opened, and none can be read', async () => {
  const files = ['production', 'shared'].map((label) => {
    const name = `inventory/group_vars/all/${label}.yml`;
    return writeVault(project, `password of ${label}`, `${label}: planted-${label}\n`, {
      name,
      label,
    });
  });
  expect(files).toHaveLength(2);
  const inline = (value: string) => inlineVault(project, password, value);
  project.write(
    'inventory/group_vars/all/vars.yml',
    `inline: ${inline('planted-inline')}\npin: ${inline('1234')}\n`,
  );
  project.write('vars/more.yml', `nested:\n  - deep: ${inline('planted-deep')}\n`);
  project.write(
    'site.yml',
    playbook(
      { include_vars: '{{ playbook_dir }}/vars/more.yml' },
      { debug: { msg: '{{ production }} {{ shared }} {{ inline }} {{ nested[0].deep }}' } },
      { assert: { that: ["nested[0].deep | length == 12 and pin == '1234'"] } },
    ),
  );
  const ended = await run({
    'vault-password': password,
    'vault-ids': 'production=password of production\nshared=password of shared\n',
  });
  expect(ended).toMatchObject({ exitCode: 0, errors: [], outputs: { ok: '3' } });
  expect(ended.stdout).toContain('"msg": "*** *** *** ***"');
  expect(ended.stdout).toContain('1 vault values are too short to be masked');
  expect(said(ended.stdout) + ended.summary).not.toMatch(/planted|password of/);
}, 120_000);

test('a wrong vault password names the input and the file before any host is asked; the right one goes on', async () => {
  const vault = writeVault(project, password, 'database: planted-database\n');
  const asked = join(sshd.home, 'asked');
  project.write('site.yml', playbook({ file: { path: asked, state: 'touch' } }));
  const wrong = await run({ 'vault-password': 'planted-wrong-one' });
  expect(wrong).toMatchObject({ exitCode: 1, outputs: {} });
  expect(wrong.errors).toEqual([
    `The vault password does not open ${vault}: check 'vault-password' and 'vault-ids'.`,
  ]);
  expect(said(wrong.stdout)).not.toContain('planted');
  const missing = await run();
  expect(missing.errors).toEqual([
    `Input 'vault-password' is missing: ${vault} cannot be read without.`,
  ]);
  expect(existsSync(asked)).toBe(false);

  expect(await run({ 'vault-password': password })).toMatchObject({ exitCode: 0, errors: [] });
  expect(existsSync(asked)).toBe(true);
}, 240_000);

test('the vault of another environment, with another password, is left alone', async () => {
  writeVault(project, 'another', 'database: other\n', { name: 'other/group_vars/all/vault.yml' });
  project.write('site.yml', playbook({ ping: {} }));
  expect(await run()).toMatchObject({ exitCode: 0, errors: [] });
}, 120_000);

test('an output that would contain a secret is not set', async () => {
  writeVault(project, password, 'customer: target\n');
  project.write('site.yml', playbook({ ping: {} }));
  const ended = await run({ 'vault-password': password });
  expect(ended).toMatchObject({ exitCode: 0, outputs: { ok: '1', drift: 'false' } });
  expect(ended.outputs).not.toHaveProperty('hosts');
  expect(ended.warnings).toEqual(["Output 'hosts' is not set: it would contain a secret."]);
}, 120_000);
