import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { runAction } from '../../lib/runner/test/start-action.ts';
import { makeProject, type Project, playbook } from './project.ts';
import { type Sshd, startSshd } from './sshd.ts';

let sshd: Sshd;
let project: Project;
let toolCache: string;

beforeAll(async () => {
  sshd = await startSshd(18427);
});
afterAll(() => sshd.stop());
beforeEach(() => {
  project = makeProject(sshd.port);
  toolCache = mkdtempSync(join(tmpdir(), 'compta-tools-'));
});
afterEach(() => {
  project.remove();
  rmSync(toolCache, { recursive: true });
});

/** A package of a lock file with its hashes, by name. */
function locked(file: string): Map<string, string> {
  const text = readFileSync(resolve(import.meta.dirname, '../..', file), 'utf8');
  const packages = text.replaceAll(/^ +#.*\n/gm, '').split(/\n(?=[a-z])/);
  return new Map(packages.map((entry) => [entry.split('==')[0] ?? '', entry.trim()]));
}

test('the lock of the action is that of the toolchain', () => {
  const toolchain = locked('tools/python/ansible.txt');
  const own = locked('action-ansible/requirements/ansible-core-2.19.14.txt');
  expect(own.size).toBe(9);
  for (const [name, entry] of own) expect(entry).toBe(toolchain.get(name));
});

test('on an empty runner two jobs at once install ansible-core by its lock, and the next one uses it', async () => {
  project.write('site.yml', playbook({ ping: {} }));
  const pip = Object.entries(process.env).filter(([name]) => name.startsWith('PIP_'));
  const run = () =>
    runAction(
      'action-ansible',
      {
        playbook: 'site.yml',
        directory: project.folder,
        inventory: 'inventory/hosts.yml',
        'known-hosts': sshd.knownHosts,
        'private-key': sshd.privateKey,
      },
      {
        ...Object.fromEntries(pip.map(([name, value = '']) => [name, value])),
        RUNNER_TOOL_CACHE: toolCache,
      },
    );
  for (const first of await Promise.all([run(), run()])) {
    expect(first).toMatchObject({ exitCode: 0, errors: [], outputs: { ok: '1' } });
    expect(first.stdout).toContain('Install ansible-core 2.19.14');
  }
  expect(existsSync(join(toolCache, 'ansible-core/2.19.14', `${process.arch}.complete`))).toBe(
    true,
  );
  expect((await run()).stdout).not.toContain('Install ansible-core');
}, 600_000);
