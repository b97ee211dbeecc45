import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { runAction, startAction } from '../../lib/runner/test/start-action.ts';
import { keyPair } from '../../lib/ssh/key-pair.ts';
import { type Gate, startGate } from './gate.ts';
import { makeProject, type Project, playbook } from './project.ts';
import { SMALL_DISK, type Sshd, startSshd } from './sshd.ts';
import { until } from './until.ts';

const GATE = 18412;
const MIRROR = 18413;
let sshd: Sshd;
let project: Project;
let gate: Gate;

beforeAll(async () => {
  sshd = await startSshd(18431);
});
afterAll(() => sshd.stop());
afterEach(async () => {
  await gate.close();
  project.remove();
});

/** `target` is behind the gate; `near` is not. */
async function arrange(refuse = 0): Promise<void> {
  gate = await startGate(GATE, sshd.port, refuse);
  project = makeProject(GATE, { near: sshd.port });
  for (const name of ['started', 'go', 'tries', 'done']) {
    rmSync(join(sshd.home, name), { force: true });
  }
}

const known = () => `${sshd.knownHosts}\n${sshd.knownHosts.replace(`:${sshd.port}`, `:${GATE}`)}`;
const inputs = (more: Record<string, string> = {}) => ({
  playbook: 'site.yml',
  directory: project.folder,
  inventory: 'inventory/hosts.yml',
  limit: 'target',
  'known-hosts': known(),
  'private-key': sshd.privateKey,
  ...more,
});
const env = () => ({ RUNNER_TOOL_CACHE: process.env.RUNNER_TOOL_CACHE ?? '' });
const run = (more: Record<string, string> = {}) => runAction('action-ansible', inputs(more), env());
const touching = (name: string) => ({ file: { path: join(sshd.home, name), state: 'touch' } });
const placed = (name: string) => existsSync(join(sshd.home, name));

test('an unknown host key is refused once and for all; with the key the re-run finishes', async () => {
  await arrange();
  project.write('site.yml', playbook(touching('done')));
  const ended = await run({ 'known-hosts': 'elsewhere ssh-ed25519 AAAA' });
  expect(ended).toMatchObject({ exitCode: 1, outputs: { unreachable: '1', ok: '0' } });
  expect(ended.errors).toEqual([
    expect.stringContaining('target could not be reached: it shows a host key that is not known'),
  ]);
  expect(ended.stdout).not.toContain('again');
  expect(placed('done')).toBe(false);
  expect(await run()).toMatchObject({ exitCode: 0, errors: [] });
}, 240_000);

test('a changed host key is refused, and called what it is; with the right one the re-run finishes', async () => {
  await arrange();
  project.write('site.yml', playbook(touching('done')));
  const ended = await run({ 'known-hosts': `[127.0.0.1]:${GATE} ${keyPair().public}` });
  expect(ended).toMatchObject({ exitCode: 1, outputs: { unreachable: '1', ok: '0' } });
  expect(ended.errors).toEqual([
    expect.stringContaining('target could not be reached: it shows another host key than the'),
  ]);
  expect(placed('done')).toBe(false);
  expect(await run()).toMatchObject({ exitCode: 0, errors: [] });
}, 240_000);

test('a key that the server does not know is called so, and not tried twice', async () => {
  await arrange();
  project.write('site.yml', playbook(touching('done')));
  const ended = await run({ 'private-key': keyPair().private });
  expect(ended.exitCode).toBe(1);
  expect(ended.errors).toEqual([expect.stringContaining('it refuses the private key')]);
  expect(ended.stdout).not.toContain('again');
}, 120_000);

test('a key with CRLF and no last newline works', async () => {
  await arrange();
  project.write('site.yml', playbook({ ping: {} }));
  const key = sshd.privateKey.trim().replaceAll('\n', '\r\n');
  expect(await run({ 'private-key': key })).toMatchObject({ exitCode: 0, errors: [] });
}, 120_000);

/** Tells that it runs, and goes on when it is told to. */
const waiting = () => ({
  shell: {
    cmd: 'touch started; for i in $(seq 600); do [ -e go ] && exit; sleep 0.1; done',
    chdir: sshd.home,
  },
});

test('a host that goes down in the middle is named once; the re-run finishes', async () => {
  await arrange();
  project.write('site.yml', playbook({ ping: {} }, waiting(), touching('done')));
  const started = startAction('action-ansible', inputs(), env());
  await until(() => placed('started'));
  gate.shut();
  writeFileSync(join(sshd.home, 'go'), '');
  const ended = await started.ended;
  expect(ended).toMatchObject({ exitCode: 1, outputs: { unreachable: '1', failed: '0' } });
  expect(ended.stdout).toContain('Trying target again');
  expect(ended.errors).toEqual([expect.stringContaining('target could not be reached')]);
  expect(placed('done')).toBe(false);

  gate.open();
  expect(await run()).toMatchObject({ exitCode: 0, errors: [], outputs: { ok: '3' } });
  expect(placed('done')).toBe(true);
}, 240_000);

test('a host that comes back is finished by the retry alone; what failed elsewhere is not repeated', async () => {
  await arrange(1);
  const failing = {
    name: 'Fail near',
    shell: `echo x >> ${join(sshd.home, 'tries')}; false`,
    when: "inventory_hostname == 'near'",
  };
  project.write('site.yml', playbook(failing, touching('done')));
  const ended = await run({ limit: 'target,near' });
  expect(ended.stdout).toContain('Trying target again');
  expect(ended).toMatchObject({ exitCode: 1, outputs: { failed: '1', unreachable: '0' } });
  expect(ended.errors).toEqual([
    expect.stringContaining('near: Fail near'),
    'site.yml failed.\n1 task failed.',
  ]);
  expect(readFileSync(join(sshd.home, 'tries'), 'utf8')).toBe('x\n');
  expect(placed('done')).toBe(true);
}, 120_000);

const count = { shell: 'echo {{ inventory_hostname }} >> tries', args: { chdir: '{{ home }}' } };
const alone = 'Trying target again: target could not be reached.';
const all =
  'Trying target,near again: target could not be reached, and the playbook ended for others too.';
test.each([
  ['goes on without a host', [{ tasks: [count] }], alone],
  ['ends with all of a batch', [{ serial: 1, tasks: [count] }], all],
  [
    'ends with all of a group',
    [{ hosts: 'target', tasks: [{ ping: {} }] }, { tasks: [count] }],
    all,
  ],
  ['ends at a run_once', [{ tasks: [{ ping: {}, run_once: true }, count] }], all],
  ['ends at any_errors_fatal', [{ any_errors_fatal: true, tasks: [{ ping: {} }, count] }], all],
])(
  'when the playbook %s, nobody is left out or done twice',
  async (_, plays, said) => {
    await arrange(1);
    const common = { hosts: 'all', gather_facts: false, vars: { home: sshd.home } };
    project.write('site.yml', JSON.stringify(plays.map((play) => ({ ...common, ...play }))));
    const ended = await run({ limit: 'target,near' });
    expect(ended).toMatchObject({ exitCode: 0, errors: [], outputs: { unreachable: '0' } });
    expect(ended.stdout).toContain(said);
    const tries = readFileSync(join(sshd.home, 'tries'), 'utf8').trim().split('\n');
    expect(tries.sort()).toEqual(['near', 'target']);
  },
  120_000,
);

test('a disk that is full is named with its task; when there is room again, the re-run finishes', async () => {
  await arrange();
  const old = `${SMALL_DISK}/old`;
  const fill = { shell: `head -c 40000 /dev/zero > ${old}` };
  const place = {
    name: 'Place the file',
    copy: { dest: `${SMALL_DISK}/new`, content: "{{ 'x' * 50000 }}", mode: '0600' },
  };
  project.write('site.yml', playbook(fill, place));
  const ended = await run();
  expect(ended).toMatchObject({ exitCode: 1, outputs: { failed: '1', unreachable: '0' } });
  expect(ended.errors).toEqual([
    expect.stringMatching(/^target: Place the file \(site\.yml:5\): .*No space left on device/s),
    'site.yml failed.\n1 task failed.',
  ]);

  project.write('site.yml', playbook({ file: { path: old, state: 'absent' } }, place));
  expect(await run()).toMatchObject({ exitCode: 0, errors: [], outputs: { changed: '2' } });
}, 240_000);

test('a mirror that does not answer is told with what to do; once it does, the re-run finishes', async () => {
  await arrange();
  // An apt of its own: that of this machine is left alone.
  const apt = join(sshd.home, 'packages');
  const settings = ['apt.conf.d', 'preferences.d', 'sources.list.d'].map((name) => `etc/${name}`);
  for (const part of [...settings, 'lists/partial', 'cache/archives/partial']) {
    mkdirSync(join(apt, part), { recursive: true });
  }
  writeFileSync(
    join(apt, 'etc/sources.list'),
    `deb [trusted=yes] http://127.0.0.1:${MIRROR}/ ./\n`,
  );
  writeFileSync(
    join(apt, 'conf'),
    `Dir::Etc "${apt}/etc"; Dir::State::lists "${apt}/lists"; Dir::Cache "${apt}/cache";
    Acquire::Retries "0"; APT::Sandbox::User "root";`,
  );
  const refresh = {
    name: 'Refresh the lists',
    apt: { update_cache: true, update_cache_retries: 1 },
    environment: { APT_CONFIG: join(apt, 'conf'), PYTHONPATH: sshd.python },
  };
  project.write('site.yml', playbook(refresh));
  const ended = await run();
  expect(ended).toMatchObject({ exitCode: 1, outputs: { failed: '1', unreachable: '0' } });
  expect(ended.errors).toEqual([
    expect.stringMatching(
      /^target: Refresh the lists \(site\.yml:4\): .*: a mirror of packages does not answer .*`apt-get update`/,
    ),
    'site.yml failed.\n1 task failed.',
  ]);

  const mirror = createServer(({ url }, response) =>
    response.writeHead(url?.endsWith('/Packages') ? 200 : 404).end(),
  ).listen(MIRROR, '127.0.0.1');
  try {
    expect(await run()).toMatchObject({ exitCode: 0, errors: [], outputs: { ok: '1' } });
  } finally {
    mirror.close();
  }
}, 120_000);

test('a jump host is gone through, and its key is checked too', async () => {
  await arrange();
  project.write('inventory/hosts.yml', JSON.stringify(behind('localhost', sshd.port)));
  project.write('site.yml', playbook({ ping: {} }));
  const target = sshd.knownHosts.replace('[127.0.0.1]', '[localhost]');
  const jump = { 'jump-host': `root@127.0.0.1:${GATE}` };
  const good = await run({ ...jump, 'known-hosts': `${known()}\n${target}` });
  expect(good).toMatchObject({ exitCode: 0, errors: [] });
  expect(gate.passed()).toBe(1);

  const bad = await run({ ...jump, 'known-hosts': target });
  expect(bad.exitCode).toBe(1);
  expect(bad.errors).toEqual([expect.stringContaining('its jump host let nothing through')]);
}, 240_000);

const behind = (address: string, port: number) => ({
  all: { hosts: { target: { ansible_host: address, ansible_port: port, ansible_user: 'root' } } },
});
