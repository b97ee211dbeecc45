import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { runAction } from '../../lib/runner/test/start-action.ts';
import { kinds } from '../src/galaxy.ts';
import { makeProject, type Project } from './project.ts';
import { type Sshd, startSshd } from './sshd.ts';

let sshd: Sshd;
let project: Project;
let toolCache: string;

beforeAll(async () => {
  sshd = await startSshd(18425);
});
afterAll(() => sshd.stop());
beforeEach(() => {
  project = makeProject(sshd.port);
  toolCache = mkdtempSync(join(tmpdir(), 'compta-tools-'));
  const name = 'ansible-core';
  symlinkSync(join(process.env.RUNNER_TOOL_CACHE ?? '', name), join(toolCache, name));
});
afterEach(() => {
  project.remove();
  rmSync(toolCache, { recursive: true });
});

const run = (more: Record<string, string> = {}) =>
  runAction(
    'action-ansible',
    {
      playbook: 'site.yml',
      directory: project.folder,
      inventory: 'inventory/hosts.yml',
      requirements: 'requirements.yml',
      'known-hosts': sshd.knownHosts,
      'private-key': sshd.privateKey,
      ...more,
    },
    { RUNNER_TOOL_CACHE: toolCache },
  );

test('a private role comes over SSH with the same key and known hosts, once', async () => {
  const repository = join(project.folder, 'private-role');
  project.write('private-role/tasks/main.yml', '- debug: { msg: from the private role }\n');
  project.write('private-role/meta/main.yml', 'galaxy_info: { author: x, description: x }\n');
  const git = (...args: string[]) => execFileSync('git', ['-C', repository, ...args]);
  git('init', '--quiet');
  git('add', '.');
  git('-c', 'user.name=x', '-c', 'user.email=x@example.org', 'commit', '--quiet', '-m', 'role');
  git('tag', 'v1');
  const source = `git+ssh://root@127.0.0.1:${sshd.port}${repository}`;
  project.write(
    'requirements.yml',
    `roles:\n  - { name: private, src: "${source}", scm: git, version: v1 }\n` +
      'collections:\n  - { name: ansible.posix }\n',
  );
  project.write('site.yml', '- { hosts: all, gather_facts: false, roles: [own, private] }\n');
  project.write('ansible.cfg', '[defaults]\nroles_path = mine\n');
  project.write('mine/own/tasks/main.yml', '- ping: {}\n');

  const first = await run();
  expect(first).toMatchObject({ exitCode: 0, errors: [], outputs: { ok: '2' } });
  expect(first.stdout).toContain('from the private role');
  rmSync(repository, { recursive: true });
  const second = await run();
  expect(second).toMatchObject({ exitCode: 0, errors: [], outputs: { ok: '2' } });
  expect(second.stdout).toContain('requirements.yml is installed in');
}, 400_000);

test.each([
  ['- src: x\n', ['role']],
  ['roles: [{ src: x }]\n', ['role']],
  ['collections: [x.y]\n', ['collection']],
  ['collections: [x.y]\nroles: [{ src: x }]\n', ['role', 'collection']],
  ['---\n', []],
])('%j asks for %j', (text, expected) => {
  expect(kinds(text)).toEqual(expected);
});
