import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { runAction } from '../../lib/runner/test/start-action.ts';
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
}, 240_000);

test('a failing task is named with its file and line, and what comes after it is not done', async () => {
  const failing = { name: 'Look for trouble', command: 'sh -c "echo oh dear >&2; exit 3"' };
  project.write('site.yml', playbook({ ping: {} }, failing, placing('never')));
  const ended = await runAction('action-ansible', inputs(), {
    ...env(),
    GITHUB_WORKSPACE: project.folder,
  });
  expect(ended).toMatchObject({ exitCode: 1, outputs: { ok: '1', failed: '1' } });
  expect(ended.errors).toHaveLength(2);
  expect(ended.errors[1]).toBe('site.yml failed.\n1 task failed.');
  expect(ended.stdout).toContain('::error title=Look for trouble,file=site.yml,line=5::');
  expect(ended.errors[0]).toContain(
    'target: Look for trouble (site.yml:5): non-zero return code\noh dear',
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
}, 120_000);

test('of a loop that fails each item is told that did', async () => {
  const each = {
    name: 'Try each',
    command: 'sh -c "echo no {{ item.name }} >&2; [ {{ item.name }} = good ]"',
    loop: ['good', 'bad', 'worse'].map((name) => ({ name })),
    loop_control: { label: '{{ item.name }}' },
  };
  project.write('site.yml', playbook(each));
  const ended = await run();
  expect(ended.errors).toEqual([
    'target: Try each (site.yml:4): bad: non-zero return code\nno bad\n' +
      'worse: non-zero return code\nno worse',
    'site.yml failed.\n1 task failed.',
  ]);
  project.write('site.yml', playbook({ ...each, no_log: true }));
  expect((await run()).errors[0]).toBe('target: Try each (site.yml:4): hidden by no_log');
}, 240_000);

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
}, 120_000);

test('a playbook that Ansible cannot read ends with what Ansible says', async () => {
  project.write('site.yml', '- hosts: all\n  tasks: [{ no_such_module: {} }]\n');
  const ended = await run();
  expect(ended.exitCode).toBe(1);
  expect(ended.errors).toEqual([expect.stringContaining('no_such_module')]);
}, 120_000);

test('a failure that a rescue block caught is no failure', async () => {
  const rescued = { block: [{ command: 'false' }], rescue: [placing('rescued')] };
  project.write('site.yml', playbook(rescued));
  const ended = await run();
  expect(ended).toMatchObject({ exitCode: 0, errors: [], outputs: { changed: '1', failed: '0' } });
}, 120_000);

test('a limit that matches nothing is a failure', async () => {
  project.write('site.yml', playbook(placing('limited')));
  const ended = await run({ limit: 'nowhere' });
  expect(ended.exitCode).toBe(1);
  expect(ended.errors).toEqual([
    "Input 'limit' is 'nowhere', which matches no host that site.yml is for.",
  ]);
  expect(placed('limited')).toBe(false);
}, 120_000);

test('a run that takes too long is stopped, and says where it stood', async () => {
  project.write('site.yml', playbook({ name: 'Dawdle', command: 'sleep 300' }));
  const ended = await run({ timeout: '25s' });
  expect(ended.exitCode).toBe(1);
  expect(ended.errors).toEqual([
    "site.yml did not end within 25.0 s ('timeout') and was stopped. What is done stays; the " +
      'next run goes on from there.\ntarget was at: Dawdle',
  ]);
}, 120_000);

test('a task that takes too long fails, with its line', async () => {
  project.write('site.yml', playbook({ name: 'Dawdle', command: 'sleep 300' }));
  const ended = await run({ 'task-timeout': '3s' });
  expect(ended).toMatchObject({ exitCode: 1, outputs: { failed: '1' } });
  expect(ended.errors[0]).toMatch(/^target: Dawdle \(.*site.yml:4\): .*[Tt]imed? ?out/);
}, 120_000);

test('two runs at once do not meet', async () => {
  project.write('site.yml', playbook({ ping: {} }, placing('both')));
  const both = await Promise.all([run(), run()]);
  for (const ended of both) {
    expect(ended).toMatchObject({ exitCode: 0, errors: [], outputs: { ok: '2' } });
  }
}, 240_000);
