import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { type Ended, runAction, startAction } from '../../lib/runner/test/start-action.ts';
import { makeProject, type Project, playbook, writeVault } from './project.ts';
import { type Sshd, startSshd } from './sshd.ts';
import { until } from './until.ts';

const password = 'planted-vault-password';
const secrets = {
  database: 'planted "quoted" \\ password',
  pin: '98765432109876543210',
  certificate: 'planted-line-one\nplanted-line-two',
};
let sshd: Sshd;
let project: Project;
let temp: string;

beforeAll(async () => {
  sshd = await startSshd(18422);
});
afterAll(() => sshd.stop());
beforeEach(() => {
  project = makeProject(sshd.port);
  temp = mkdtempSync(join(tmpdir(), 'compta-temp-'));
});
afterEach(() => {
  project.remove();
  rmSync(temp, { recursive: true });
});

const inputs = (more: Record<string, string> = {}) => ({
  playbook: 'site.yml',
  directory: project.folder,
  inventory: 'inventory/hosts.yml',
  'known-hosts': sshd.knownHosts,
  'private-key': sshd.privateKey,
  ...more,
});
const env = () => ({
  RUNNER_TOOL_CACHE: process.env.RUNNER_TOOL_CACHE ?? '',
  RUNNER_TEMP: temp,
});

test('what the vault holds is nowhere to be read, even when a playbook prints it', async () => {
  writeVault(
    project,
    password,
    `database: ${JSON.stringify(secrets.database)}\nnested:\n  - pin: ${secrets.pin}\n` +
      `certificate: ${JSON.stringify(secrets.certificate)}\n`,
  );
  project.write(
    'site.yml',
    playbook(
      { debug: { msg: '{{ database }} {{ nested[0].pin }} {{ certificate }}' } },
      { debug: { msg: '{{ database | b64encode }} {{ certificate | b64encode }}' } },
      { debug: { var: 'nested' } },
      { name: 'Say {{ token }}', debug: { msg: '{{ token | urlencode }}' } },
      { fail: { msg: 'no entry with {{ database }}' } },
    ),
  );
  const ended = await runAction(
    'action-ansible',
    inputs({ 'vault-password': password, 'secret-vars': 'token: planted token+=' }),
    env(),
  );
  expect(ended.outputs).toMatchObject({ ok: '4', failed: '1' });
  expect(ended.errors[0]).toContain('no entry with ***');
  expectSilent(ended);
  const left = readdirSync(temp);
  expect(left).toEqual([expect.stringMatching(/^ansible-events-\d+\.jsonl$/)]);
  expect(readFileSync(join(temp, left[0] ?? ''), 'utf8')).not.toContain('planted');
}, 120_000);

test('the private key is in no file while Ansible runs; a cancelled run leaves nothing', async () => {
  writeVault(project, password, 'database: planted-in-vault\n');
  project.write('site.yml', waiting());
  const started = startAction('action-ansible', inputs({ 'vault-password': password }), env());
  await until(() => existsSync(join(sshd.home, 'started')));
  const entries = readdirSync(temp, { recursive: true, withFileTypes: true });
  const modes = (name: RegExp) =>
    entries
      .filter((entry) => name.test(entry.name))
      .map((entry) => (statSync(join(entry.parentPath, entry.name)).mode & 0o777).toString(8));
  expect(modes(/^an-/)).toEqual(['700']);
  expect(modes(/^(vault-0|extra-vars\.json|events\.jsonl)$/)).toEqual(['600', '600', '600']);
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'));
  expect(files.length).toBeGreaterThan(3);
  for (const line of keyLines()) expect(files.join('\n')).not.toContain(line);
  expect(programs(temp)).toContain('ssh-agent');

  started.kill('SIGINT');
  const ended = await started.ended;
  expect(ended.exitCode).toBe(1);
  expect(ended.errors.join()).toContain('cancelled');
  expectSilent(ended);
  await nothingLeft();
}, 120_000);

test('the post step cleans up after a run that was killed', async () => {
  project.write('site.yml', waiting());
  const state = join(project.folder, 'state');
  writeFileSync(state, '');
  const started = startAction('action-ansible', inputs(), { ...env(), GITHUB_STATE: state });
  await until(() => existsSync(join(sshd.home, 'started')));
  started.kill('SIGKILL');
  writeFileSync(join(sshd.home, 'go'), '');
  await started.ended;
  expect(programs(temp)).toContain('ssh-agent');

  const saved = readFileSync(state, 'utf8').matchAll(/^(\w+)<<(\S+)\n(.*)\n\2$/gm);
  const states = Object.fromEntries(
    [...saved].map(([, name, , value]) => [`STATE_${name}`, value]),
  );
  const post = await startAction('action-ansible', {}, { ...env(), ...states }, 'post').ended;
  expect(post).toMatchObject({ exitCode: 0, errors: [] });
  await nothingLeft();
}, 120_000);

/** Tells that it runs, and goes on when it is told to, or after 20 seconds. */
function waiting(): string {
  for (const name of ['started', 'go']) rmSync(join(sshd.home, name), { force: true });
  const wait = 'touch started; for i in $(seq 200); do [ -e go ] && exit; sleep 0.1; done';
  return playbook({ shell: { cmd: wait, chdir: sshd.home } });
}

function expectSilent({ stdout, summary, outputs }: Ended): void {
  const seen = stdout.replaceAll(/^::add-mask::.*$/gm, '') + summary + JSON.stringify(outputs);
  expect(seen).not.toContain('planted');
  for (const secret of [password, ...Object.values(secrets), ...keyLines()]) {
    expect(seen).not.toContain(secret);
    expect(seen).not.toContain(Buffer.from(secret).toString('base64').replace(/=+$/, ''));
  }
}

const keyLines = () => sshd.privateKey.split('\n').filter((line) => /^[\w+/=]{20,}$/.test(line));

async function nothingLeft(): Promise<void> {
  await until(() => programs(temp).length === 0);
  expect(readdirSync(temp).filter((name) => !name.startsWith('ansible-events-'))).toEqual([]);
}

/** Programs whose command line names a folder. */
function programs(folder: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      } catch {
        return ''; // ended between the two looks
      }
    })
    .filter((line) => line.includes(folder))
    .map((line) => line.split(/[\0 ]/)[0]?.split('/').at(-1) ?? '');
}
