import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { ansibleInventory } from '../../../lib/inventory/formats.ts';
import { parseTerraformOutputs } from '../../../lib/inventory/inventory.ts';
import { type Block, blocksOf } from '../../terraform/blocks.ts';

const infra = resolve(import.meta.dirname, '../..');
const ROLES = ['application', 'bastion', 'database', 'monitoring'] as const;

interface HostVariables {
  private_ip: string;
  server_role: string;
  volume_device: string | null;
}
interface Rule {
  port: string;
  from: string;
}

/** An environment as its three tools say it. */
function environment(name: string) {
  const yaml = (path: string): Record<string, unknown> => {
    const file = join(infra, 'ansible/inventories', name, path);
    return existsSync(file) ? (parse(readFileSync(file, 'utf8')) as Record<string, unknown>) : {};
  };
  const inventory = yaml('hosts.yml') as unknown as {
    all: { children: Record<string, { hosts: Record<string, HostVariables> }> };
  };
  const variables = blocksOf(
    readFileSync(join(infra, 'terraform/environments', name, 'variables.tf'), 'utf8'),
  );
  return {
    terraform: {
      servers: servers(fallback(variables, 'servers')),
      network: JSON.parse(fallback(variables, 'network_cidr')) as string,
      publicPorts: [...fallback(variables, 'public_ports').matchAll(/= (\d+)/g)].map(([, port]) =>
        Number(port),
      ),
    },
    hosts: inventory.all.children,
    all: yaml('group_vars/all.yml'),
    group: (role: string) => yaml(`group_vars/${role}.yml`),
  };
}

function fallback(variables: readonly Block[], name: string): string {
  return variables.find((variable) => variable.name === name)?.attributes.default ?? '';
}

/** `name = { role = "…", private_ip = "…" }`, as the default of the variable `servers` has them. */
function servers(text: string) {
  return [...text.matchAll(/([\w-]+) += \{ ([^}]*) \}/g)].map(([, name = '', body = '']) => ({
    name,
    role: /role = "([^"]+)"/.exec(body)?.[1],
    privateIp: /private_ip = "([^"]+)"/.exec(body)?.[1],
    volume: body.includes('volume_gb'),
  }));
}

const firewall = (group: Record<string, unknown>) =>
  ((group.common_firewall_rules ?? []) as Rule[]).flatMap(({ port, from }) =>
    port.split(',').map((each) => ({ port: Number(each), from })),
  );

describe.each(['production', 'staging', 'dev'])('%s', (name) => {
  const { terraform, hosts, all, group } = environment(name);

  test('has the servers that Terraform makes', () => {
    const listed = Object.entries(hosts).flatMap(([role, { hosts }]) =>
      Object.entries(hosts).map(([name, host]) => ({
        name,
        role,
        privateIp: host.private_ip,
        volume: host.volume_device !== null,
      })),
    );
    const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
    expect(listed.sort(byName)).toEqual(terraform.servers.sort(byName));
  });

  test('gives each host what a pipeline run gives it', () => {
    const outputs = {
      environment: name,
      servers: {
        bastion: {
          role: 'bastion',
          private_ip: '10.0.1.2',
          public_ip: '198.51.100.2',
          host_key: 'ssh-ed25519 AAAA',
          volume_device: null,
        },
      },
      bastion: 'bastion',
      load_balancer: { public_ip: '198.51.100.9', private_ip: '10.0.1.5' },
      network_cidr: '10.0.0.0/16',
      ssh: { user: 'deploy', port: 2222 },
    };
    const made = ansibleInventory(parseTerraformOutputs(outputs)).all.children;
    const ours = (host: object) => Object.keys(host).filter((key) => !key.startsWith('ansible_'));
    const wanted = ours(made.bastion.hosts.bastion ?? {}).sort();
    for (const [role, { hosts: members }] of Object.entries(hosts)) {
      expect(Object.keys(made)).toContain(role);
      for (const host of Object.values(members)) {
        expect(ours(host).sort()).toEqual(wanted);
        expect(host.server_role).toBe(role);
      }
    }
    expect([all.ansible_user, all.ansible_port]).toEqual(['deploy', 2222]);
  });

  test('is one network, of which Docker takes nothing', () => {
    expect(all.compta_environment).toBe(name);
    expect(all.compta_network_cidr).toBe(terraform.network);
    const docker = parse(
      readFileSync(join(infra, 'ansible/roles/docker/defaults/main.yml'), 'utf8'),
    ) as { docker_bridge_address: string; docker_address_pools: { base: string }[] };
    const prefix = terraform.network.split('.').slice(0, 2).join('.');
    for (const range of [
      docker.docker_bridge_address,
      ...docker.docker_address_pools.map(({ base }) => base),
    ]) {
      expect(range.startsWith(`${prefix}.`)).toBe(false);
    }
  });

  test('lets the load balancer through to what Caddy publishes, by Docker alone', () => {
    const application = group('application');
    const open = firewall(application).map(({ port }) => port);
    for (const port of terraform.publicPorts) {
      expect(application.docker_published_ports).toContain(port);
      // While the engine starts nobody listens there: no answer is tried again, a refusal is not.
      expect(open).not.toContain(port);
    }
  });

  test('lets the monitoring server reach every exporter, and nobody outside', () => {
    const { monitoring_jobs } = parse(
      readFileSync(join(infra, 'ansible/roles/monitoring/defaults/main.yml'), 'utf8'),
    ) as { monitoring_jobs: { name: string; group: string; port: number }[] };
    expect(group('monitoring')).not.toHaveProperty('monitoring_jobs');
    for (const job of monitoring_jobs) {
      // A group's own list takes the place of the one for all.
      for (const role of job.group === 'all' ? ROLES : [job.group]) {
        const rules = firewall(group(role));
        const open = rules.length > 0 ? rules : firewall(all);
        expect({ role, open: open.map(({ port }) => port) }).toEqual({
          role,
          open: expect.arrayContaining([job.port]),
        });
      }
    }
    for (const role of ROLES) {
      for (const { from } of firewall(group(role))) {
        expect(['{{ compta_network_cidr }}', '172.16.0.0/12']).toContain(from);
      }
    }
  });

  test('lets an administrator open the dashboards, as the documentation says it', () => {
    const monitoring = group('monitoring');
    const document = readFileSync(resolve(infra, '../docs/monitoring.md'), 'utf8');
    const tunnels = [...document.matchAll(/-L \d+:(127\.0\.0\.1:\d+)/g)].map(
      ([, target]) => target,
    );
    expect(tunnels).toHaveLength(3);
    expect(monitoring.common_ssh_forwarding).toBe(true);
    expect(monitoring.common_ssh_permit_open).toEqual(tunnels);
    expect(group('bastion').common_ssh_permit_open).toContain(`*:${all.ansible_port}`);
  });

  test('keeps the database where Terraform put its volume, on the ports that services use', () => {
    const database = group('database');
    expect(database.postgresql_volume_device).toBe("{{ volume_device | default('', true) }}");
    expect(firewall(database).map(({ port }) => port)).toEqual(
      expect.arrayContaining([5432, 6432, 6379]),
    );
    const service = readFileSync(
      resolve(infra, '../examples/services/auth-service/src/main/resources/application.yml'),
      'utf8',
    );
    expect(service).toContain('COMPTA_DATABASE_PORT:6432');
    expect(service).toContain('COMPTA_REDIS_PORT:6379');
  });
});

test('cAdvisor is scraped nowhere as delivered: its image is still to be given', () => {
  const folder = mkdtempSync(join(tmpdir(), 'compta-targets-'));
  mkdirSync(join(folder, 'targets'));
  writeFileSync(join(folder, 'variables.json'), '{}');
  execFileSync(
    'ansible-playbook',
    [
      join(import.meta.dirname, 'render.yml'),
      `--inventory=${join(infra, 'ansible/inventories/production')}`,
      `--extra-vars=${JSON.stringify({ folder, variables: join(folder, 'variables.json') })}`,
      '--tags=targets',
    ],
    { cwd: join(infra, 'ansible') },
  );
  const targets = (job: string) => parse(readFileSync(join(folder, 'targets', job), 'utf8'));
  expect(targets('cadvisor.yml')).toEqual([]);
  expect(targets('docker.yml')).toHaveLength(2);
  rmSync(folder, { recursive: true });
}, 180_000);
