import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Host } from '../../lib/release/host.ts';
import { Lease, readLease } from '../../lib/release/lease.ts';
import { startHosts, type TestHost, type TestHosts } from '../../lib/release/test/fixture/hosts.ts';
import { runAction, startAction } from '../../lib/runner/test/start-action.ts';
import { keyPair } from '../../lib/ssh/key-pair.ts';
import { SshPool } from '../../lib/ssh/pool.ts';
import { makeProject, type Project } from './project.ts';
import { until } from './until.ts';

let servers: TestHosts;
let pool: SshPool;
let project: Project;
beforeAll(async () => {
  servers = await startHosts(1);
  const { port, privateKey, knownHosts, bastion: jumpHost } = servers;
  pool = new SshPool({ user: 'deploy', port, privateKey, knownHosts, jumpHost });
  project = makeProject(port);
  project.write('outputs.json', JSON.stringify(outputs()));
  project.write(
    'site.yml',
    '- { hosts: localhost, connection: local, gather_facts: false, tasks: ' +
      `[{ shell: 'printf %s "$COMPTA_LEASE" >${project.file('told')}' }] }\n`,
  );
}, 180_000);
afterAll(async () => {
  await pool?.close();
  await servers?.close();
  project?.remove();
}, 180_000);

/** What Terraform would put out for the test host, perhaps with a key that it had before. */
function outputs(hostKey?: string): Record<string, unknown> {
  const { hosts, bastion, bastionKey, port } = servers;
  const server = (role: string, private_ip: string, host_key: string) => ({
    ...{ role, private_ip, host_key, volume_device: null },
    public_ip: role === 'bastion' ? private_ip : null,
  });
  const applications = hosts.map((host) => [
    host.name,
    server('application', host.ssh, hostKey ?? host.hostKey),
  ]);
  return {
    environment: 'staging',
    servers: {
      bastion: server('bastion', bastion, bastionKey),
      ...Object.fromEntries(applications),
    },
    bastion: 'bastion',
    load_balancer: { public_ip: bastion, private_ip: bastion },
    network_cidr: '127.0.0.0/8',
    ssh: { user: 'deploy', port },
  };
}

const inputs = (more: Record<string, string>) => ({
  directory: project.folder,
  playbook: 'site.yml',
  inventory: 'inventory/hosts.yml',
  'terraform-outputs': project.file('outputs.json'),
  'private-key': servers.privateKey,
  'release-lease': '5s',
  ...more,
});
const env = () => ({ RUNNER_TOOL_CACHE: process.env.RUNNER_TOOL_CACHE ?? '' });
const play = (more: Record<string, string> = {}) =>
  runAction('action-ansible', inputs(more), env());
const told = () => readFileSync(project.file('told'), 'utf8');

function application(): Host {
  const { name, ssh } = servers.hosts[0] as TestHost;
  return new Host(name, ssh, () => pool.connect(ssh, name));
}

test('a playbook holds the lease of what is released, and gives it back', async () => {
  expect((await play()).stdout).toContain('No application server has a release yet');
  expect(told()).toBe('');

  const host = application();
  const manifest = {
    ...{ release: '1.0.0-0a1b2c3d', version: '1.0.0', environment: 'staging', services: {} },
    ...{ order: [], versionPaths: {}, edge: { image: '', config: '' }, createdAt: '' },
  };
  const script = 'mkdir -p /opt/compta/current && cat >/opt/compta/current/manifest.json';
  await host.read(['sh', '-c', script], { input: JSON.stringify(manifest) });

  expect(await play()).toMatchObject({ exitCode: 0, errors: [] });
  expect(await readLease(host)).toMatchObject({
    token: Number(told()),
    reason: 'site.yml',
    expires: 0,
  });
}, 180_000);

test('of two runs at once the second one says who is there; its re-run finishes', async () => {
  const [begun, go] = [project.file('begun'), project.file('go')];
  project.write(
    'long.yml',
    '- { hosts: localhost, connection: local, gather_facts: false, tasks: ' +
      `[{ shell: 'touch ${begun}; for i in $(seq 600); do [ -e ${go} ] && exit; sleep 0.1; done' }] }\n`,
  );
  rmSync(project.file('told'));
  const first = startAction('action-ansible', inputs({ playbook: 'long.yml' }), env());
  await until(() => existsSync(begun));
  const second = await play({ 'release-lease': '1s' });
  writeFileSync(go, '');
  expect(second.exitCode).toBe(1);
  expect(second.errors).toEqual([
    expect.stringMatching(
      /^The environment is held by .*: long\.yml, and did not come free within 1 s\..*`release-lease`/,
    ),
  ]);
  expect(existsSync(project.file('told'))).toBe(false);

  expect(await first.ended).toMatchObject({ exitCode: 0, errors: [] });
  expect(await play()).toMatchObject({ exitCode: 0, errors: [] });
  expect(Number(told())).toBeGreaterThan(0);
}, 120_000);

/** Hetzner, whose labels tell the application server's key. */
async function startHetzner(): Promise<{ url: string; close: () => void }> {
  const { name, hostKey } = servers.hosts[0] as TestHost;
  const tail = hostKey.slice(-43).replaceAll('+', '-').replaceAll('/', '_');
  const server = createServer(({ url }, response) => {
    const labels = url?.includes(name) ? { 'host-key': `k${tail}k` } : {};
    response.end(JSON.stringify({ servers: [{ id: 1, labels }] }));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as { port: number };
  return { url: `http://127.0.0.1:${port}`, close: () => server.close() };
}

test('a host key that was renewed since the outputs keeps neither main nor post from the lease', async () => {
  project.write('outdated.json', JSON.stringify(outputs(keyPair().public.trim())));
  const hetzner = await startHetzner();
  const lease = await Lease.take([application()], {
    ...{ owner: 'a run that was killed', run: '', waitMs: 0, say: () => {} },
  });
  try {
    const given = inputs({
      'terraform-outputs': project.file('outdated.json'),
      'hcloud-token': 'token-of-the-test',
    });
    const world = { ...env(), HCLOUD_ENDPOINT: hetzner.url };
    const killed = { ...world, 'STATE_lease-token': String(lease.token) };
    const post = await startAction('action-ansible', given, killed, 'post').ended;
    expect(post).toMatchObject({ exitCode: 0, errors: [] });
    expect(await readLease(application())).toMatchObject({ token: lease.token, expires: 0 });

    expect(await runAction('action-ansible', given, world)).toMatchObject({
      ...{ exitCode: 0, errors: [] },
      outputs: { 'host-keys-renewed': 'true' },
    });
    expect(Number(told())).toBe(lease.token + 1);
  } finally {
    await lease.free();
    hetzner.close();
  }
}, 180_000);

test('where no application server answers for long, it warns and takes none', async () => {
  await servers.hosts[0]?.powerOff();
  const { exitCode, warnings } = await play();
  expect(exitCode).toBe(0);
  expect(warnings).toEqual([
    expect.stringMatching(/^No application server answers \(.*app-1.*\), so there is no lease/),
  ]);
  expect(told()).toBe('');
}, 180_000);

test('an application server that answers a moment later is waited for', async () => {
  const started = startAction('action-ansible', inputs({}), env());
  await started.said('No application server answers yet');
  await servers.hosts[0]?.powerOn();
  expect(await started.ended).toMatchObject({ exitCode: 0, errors: [], warnings: [] });
  expect(Number(told())).toBeGreaterThan(0);
}, 180_000);
