import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { runAction } from '../../lib/runner/test/start-action.ts';
import { keyPair } from '../../lib/ssh/test/server.ts';
import { makeProject, type Project, playbook } from './project.ts';
import { type Sshd, startSshd } from './sshd.ts';

let sshd: Sshd;
let project: Project;

beforeAll(async () => {
  sshd = await startSshd(18421);
});
afterAll(() => sshd.stop());
beforeEach(() => {
  project = makeProject(sshd.port);
});
afterEach(() => project.remove());

const inputs = () => ({
  playbook: 'site.yml',
  directory: project.folder,
  inventory: 'inventory/hosts.yml',
  'known-hosts': sshd.knownHosts,
  'private-key': sshd.privateKey,
});
const env = () => ({ RUNNER_TOOL_CACHE: process.env.RUNNER_TOOL_CACHE ?? '' });
const run = (more: Record<string, string> = {}) =>
  runAction('action-ansible', { ...inputs(), ...more }, env());
const hosts = (json: string | undefined) => JSON.parse(json ?? '{}') as unknown;

/** A task that puts a file on the server, and is done when it is there. */
const placing = (name: string, content = 'here') => ({
  name: `Place ${name}`,
  copy: { content, dest: join(sshd.home, name) },
});
const placed = (name: string) => existsSync(join(sshd.home, name));

test('check reports the drift and changes nothing; the run removes it; the next finds none', async () => {
  project.write('site.yml', playbook({ ping: {} }, placing('drift', '{{ greeting }}')));
  const greeting = { 'extra-vars': 'greeting: hello' };

  const checked = await run({ ...greeting, mode: 'check' });
  expect(checked.errors).toEqual([]);
  expect(checked).toMatchObject({ exitCode: 0, outputs: { drift: 'true', changed: '1' } });
  expect(checked.summary).toContain('What would change');
  expect(placed('drift')).toBe(false);

  const ran = await run(greeting);
  expect(ran).toMatchObject({
    exitCode: 0,
    outputs: { ok: '2', changed: '1', failed: '0', unreachable: '0', drift: 'false' },
  });
  expect(hosts(ran.outputs.hosts)).toEqual({
    target: { ok: 2, changed: 1, failed: 0, unreachable: 0, skipped: 0 },
  });
  expect(ran.summary).toContain('site.yml: 1 tasks changed something');
  expect(ran.summary).toContain('| target | Place drift |');
  expect(readFileSync(join(sshd.home, 'drift'), 'utf8')).toBe('hello');

  const again = await run({ ...greeting, mode: 'check' });
  expect(again.errors).toEqual([]);
  expect(again.outputs).toMatchObject({ drift: 'false', changed: '0' });
  expect(again.summary).toContain('nothing to change');
}, 90_000);

test('a failing task is named with its file and line, and what comes after it is not done', async () => {
  const failing = { name: 'Look for trouble', command: 'sh -c "echo oh dear >&2; exit 3"' };
  project.write('site.yml', playbook({ ping: {} }, failing, placing('never')));
  const ended = await run();
  expect(ended).toMatchObject({ exitCode: 1, outputs: { ok: '1', failed: '1' } });
  expect(ended.errors).toHaveLength(1);
  expect(ended.errors[0]).toContain(
    `target: Look for trouble (${project.file('site.yml')}:5): non-zero return code\noh dear`,
  );
  expect(hosts(ended.outputs['failed-tasks'])).toEqual([
    {
      host: 'target',
      task: 'Look for trouble',
      path: project.file('site.yml'),
      line: 5,
      message: expect.stringContaining('oh dear'),
    },
  ]);
  expect(ended.summary).toContain('site.yml:5');
  expect(placed('never')).toBe(false);
}, 60_000);

test('an ignored failure is no failure, and no_log hides its message', async () => {
  project.write(
    'site.yml',
    playbook(
      { command: 'false', ignore_errors: true },
      { command: 'sh -c "echo {{ word }} >&2; exit 1"', no_log: true },
    ),
  );
  const ended = await run({ 'extra-vars': 'word: planted' });
  expect(ended.outputs).toMatchObject({ ok: '1', failed: '1' });
  expect(ended.errors.join()).toContain('hidden by no_log');
  expect(`${ended.stdout}${ended.summary}`).not.toContain('planted');
}, 60_000);

test('a server with another host key is named, and nothing is done there', async () => {
  project.write('site.yml', playbook(placing('impostor')));
  const other = `[127.0.0.1]:${sshd.port} ${keyPair().public}`;
  const ended = await run({ 'known-hosts': other, 'retry-unreachable': '0' });
  expect(ended).toMatchObject({ exitCode: 1, outputs: { unreachable: '1', ok: '0' } });
  expect(ended.errors).toHaveLength(1);
  expect(ended.errors[0]).toContain('target could not be reached');
  expect(ended.errors[0]).toContain('Host key verification failed');
  expect(placed('impostor')).toBe(false);
}, 60_000);

test('a server that does not answer is tried again, then reported once', async () => {
  project.remove();
  project = makeProject(18429);
  project.write('site.yml', playbook({ ping: {} }));
  const ended = await run({ 'known-hosts': sshd.knownHosts.replace('18421', '18429') });
  expect(ended).toMatchObject({ exitCode: 1, outputs: { unreachable: '1', failed: '0' } });
  expect(ended.stdout).toContain('Trying target again');
  expect(ended.errors).toHaveLength(1);
  expect(ended.errors[0]).toMatch(/target could not be reached: .*Connection refused/s);
}, 60_000);

test('a playbook that Ansible cannot read ends with what Ansible says', async () => {
  project.write('site.yml', '- hosts: all\n  tasks: [{ no_such_module: {} }]\n');
  const ended = await run();
  expect(ended.exitCode).toBe(1);
  expect(ended.errors).toEqual([expect.stringContaining('no_such_module')]);
}, 60_000);
