import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Host } from '../../lib/release/host.ts';
import { readLease } from '../../lib/release/lease.ts';
import { startHosts, type TestHost, type TestHosts } from '../../lib/release/test/fixture/hosts.ts';
import { runAction } from '../../lib/runner/test/start-action.ts';
import { SshPool } from '../../lib/ssh/pool.ts';
import { makeProject, type Project } from './project.ts';

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
}, 60_000);
afterAll(async () => {
  await pool?.close();
  await servers?.close();
  project?.remove();
}, 60_000);

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

const play = () =>
  runAction(
    'action-ansible',
    {
      directory: project.folder,
      playbook: 'site.yml',
      inventory: 'inventory/hosts.yml',
      'terraform-outputs': project.file('outputs.json'),
      'private-key': servers.privateKey,
      'release-lease': '5s',
    },
    { RUNNER_TOOL_CACHE: process.env.RUNNER_TOOL_CACHE ?? '' },
  );
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
}, 60_000);

test('where no application server answers, it says so and takes none', async () => {
  await servers.hosts[0]?.powerOff();
  const { exitCode, stdout } = await play();
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/No application server answers \(.*app-1.*\), so there is no lease/);
  expect(told()).toBe('');
}, 60_000);
