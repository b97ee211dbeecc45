import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { runAction } from '../../lib/runner/test/start-action.ts';
import { keyPair } from '../../lib/ssh/key-pair.ts';
import { makeProject, type Project, playbook } from './project.ts';
import { type Sshd, startSshd } from './sshd.ts';

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
    expect.stringMatching(/target could not be reached: it shows (a|another) host key/),
  ]);
}, 240_000);
