import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Host } from '../../lib/release/host.ts';
import { readLease } from '../../lib/release/lease.ts';
import { startHosts, type TestHost, type TestHosts } from '../../lib/release/test/fixture/hosts.ts';
import { runAction, startAction } from '../../lib/runner/test/start-action.ts';
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

/** What Terraform would put out for the test host. */
function outputs(): Record<string, unknown> {
  const { hosts, bastion, bastionKey, port } = servers;
  const server = (role: string, private_ip: string, host_key: string) => ({
    ...{ role, private_ip, host_key, volume_device: null },
    public_ip: role === 'bastion' ? private_ip : null,
  });
  const applications = hosts.map(({ name, ssh, hostKey }) => [
    name,
    server('application', ssh, hostKey),
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

test('a playbook holds the lease of what is released, and gives it back', async () => {
  expect((await play()).stdout).toContain('No application server has a release yet');
  expect(told()).toBe('');

  const { name, ssh } = servers.hosts[0] as TestHost;
  const host = new Host(name, ssh, () => pool.connect(ssh, name));
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

test('where no application server answers, it says so and takes none', async () => {
  await servers.hosts[0]?.powerOff();
  const { exitCode, stdout } = await play();
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/No application server answers \(.*app-1.*\), so there is no lease/);
  expect(told()).toBe('');
}, 180_000);
