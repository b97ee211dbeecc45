import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { runAction } from '../../lib/runner/test/start-action.ts';
import { keyPair } from '../../lib/ssh/key-pair.ts';
import { startGate } from './gate.ts';
import { makeProject, type Project, playbook } from './project.ts';
import { type Sshd, startSshd } from './sshd.ts';
import { until } from './until.ts';

const GATE = 18429;

let sshd: Sshd;
let project: Project;

beforeAll(async () => {
  sshd = await startSshd(18426);
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
      strategy: 'mitogen_free',
      'known-hosts': sshd.knownHosts,
      'private-key': sshd.privateKey,
      ...more,
    },
    { RUNNER_TOOL_CACHE: process.env.RUNNER_TOOL_CACHE ?? '' },
  );

test('with Mitogen a run does, reports and refuses the same', async () => {
  const file = join(sshd.home, 'made');
  rmSync(file, { force: true });
  project.write(
    'site.yml',
    playbook(
      { ping: {} },
      { copy: { content: 'here', dest: file } },
      { name: 'Fail', command: 'false' },
    ),
  );
  const ended = await run();
  expect(ended).toMatchObject({ exitCode: 1, outputs: { ok: '2', changed: '1', failed: '1' } });
  expect(ended.errors).toEqual([
    expect.stringContaining('target: Fail'),
    'site.yml failed.\n1 task failed.',
  ]);
  expect(readFileSync(file, 'utf8')).toBe('here');

  rmSync(file);
  const other = `[127.0.0.1]:${sshd.port} ${keyPair().public}`;
  const refused = await run({ 'known-hosts': other });
  expect(refused).toMatchObject({ exitCode: 1, outputs: { unreachable: '1', ok: '0' } });
  expect(refused.errors).toEqual([
    expect.stringContaining('it shows a host key that is not known, or another one than is known'),
  ]);
}, 240_000);

test('with Mitogen a key that the server does not know is called so, and not tried twice', async () => {
  project.write('site.yml', playbook({ ping: {} }));
  const refused = await run({ 'private-key': keyPair().private });
  expect(refused).toMatchObject({ exitCode: 1, outputs: { unreachable: '1' } });
  expect(refused.errors).toEqual([expect.stringContaining('it refuses the private key')]);
  expect(refused.stdout).not.toContain('again');
}, 120_000);

test('with Mitogen a host that goes down in the middle is named once; the re-run finishes', async () => {
  const gate = await startGate(GATE, sshd.port);
  project.remove();
  project = makeProject(GATE);
  const file = (name: string) => join(sshd.home, name);
  const wait = 'touch started; for i in $(seq 600); do [ -e go ] && exit; sleep 0.1; done';
  project.write(
    'site.yml',
    playbook(
      { shell: { cmd: wait, chdir: sshd.home } },
      { file: { path: file('done'), state: 'touch' } },
    ),
  );
  const known = { 'known-hosts': sshd.knownHosts.replace(`:${sshd.port}`, `:${GATE}`) };
  try {
    const running = run(known);
    await until(() => existsSync(file('started')));
    gate.shut();
    writeFileSync(file('go'), '');
    const ended = await running;
    expect(ended).toMatchObject({ exitCode: 1, outputs: { unreachable: '1', failed: '0' } });
    expect(ended.stdout).toContain('Trying target again');
    expect(ended.errors).toEqual([expect.stringContaining('target could not be reached')]);
    expect(existsSync(file('done'))).toBe(false);

    gate.open();
    expect(await run(known)).toMatchObject({ exitCode: 0, errors: [], outputs: { ok: '2' } });
    expect(existsSync(file('done'))).toBe(true);
  } finally {
    await gate.close();
  }
}, 240_000);
