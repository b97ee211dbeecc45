import { describe, expect, test } from '@jest/globals';
import { ansibleInventory, knownHosts, sshConfig } from '../formats.ts';
import { parseTerraformOutputs, serversOf } from '../inventory.ts';

const key = (letter: string): string => `ssh-ed25519 AAAAC3Nza${letter}`;
const values = {
  environment: 'staging',
  servers: {
    'staging-bastion-1': {
      role: 'bastion',
      private_ip: '10.0.1.2',
      public_ip: '203.0.113.2',
      host_key: `${key('B')} root@bastion`,
      volume_device: null,
    },
    'staging-app-1': {
      role: 'application',
      private_ip: '10.0.1.21',
      public_ip: '203.0.113.3',
      host_key: key('A'),
      volume_device: null,
    },
    'staging-db-1': {
      role: 'database',
      private_ip: '10.0.1.11',
      public_ip: null,
      host_key: key('D'),
      volume_device: '/dev/disk/by-id/scsi-0HC_Volume_7',
    },
  },
  bastion: 'staging-bastion-1',
  load_balancer: { public_ip: '203.0.113.9', private_ip: '10.0.1.5' },
  network_cidr: '10.0.0.0/16',
  ssh: { user: 'deploy', port: 2222 },
};
const outputs = Object.fromEntries(
  Object.entries(values).map(([name, value]) => [name, { sensitive: false, type: 'any', value }]),
);

describe('terraform output -json', () => {
  test('becomes an inventory', () => {
    const inventory = parseTerraformOutputs(outputs);
    expect(inventory.bastion.publicIp).toBe('203.0.113.2');
    expect(inventory.bastion.hostKey).toBe(key('B'));
    expect(serversOf(inventory, 'application').map((server) => server.name)).toEqual([
      'staging-app-1',
    ]);
  });

  test('is refused with every problem named', () => {
    const broken = { ...outputs, bastion: { value: 'nobody' }, ssh: { value: { user: 'deploy' } } };
    expect(() => parseTerraformOutputs(broken)).toThrow(/ssh\.port: .*\n.*terraform output -json/s);
    expect(() => parseTerraformOutputs({ ...outputs, bastion: { value: 'nobody' } })).toThrow(
      /bastion: names "nobody", which is not one of the servers/,
    );
    expect(() => parseTerraformOutputs([])).toThrow(/do not describe an environment/);
  });
});

describe('what others read', () => {
  const inventory = parseTerraformOutputs(values);

  test('known_hosts: the bastion by both addresses, the others by their private one', () => {
    expect(knownHosts(inventory).split('\n')).toEqual([
      `[10.0.1.21]:2222 ${key('A')}`,
      `[203.0.113.2]:2222 ${key('B')}`,
      `[10.0.1.2]:2222 ${key('B')}`,
      `[10.0.1.11]:2222 ${key('D')}`,
      '',
    ]);
  });

  test('ssh_config: through the bastion, never without checking the host key', () => {
    const text = sshConfig(inventory, { identityFile: '/k/id', knownHostsFiles: ['/k/a', '/k/b'] });
    expect(text).toContain('Host staging-app-1 10.0.1.21\n  HostName 10.0.1.21\n  ProxyJump');
    expect(text).toContain('HostName 203.0.113.2\n\n');
    expect(text).toContain('UserKnownHostsFile "/k/a" "/k/b"\n');
    expect(text).toContain('StrictHostKeyChecking yes');
  });

  test("Ansible's groups and variables", () => {
    const { children } = ansibleInventory(inventory).all;
    expect(Object.keys(children)).toEqual(['application', 'bastion', 'database', 'monitoring']);
    expect(children.database.hosts['staging-db-1']).toEqual({
      ansible_host: '10.0.1.11',
      ansible_port: 2222,
      ansible_user: 'deploy',
      private_ip: '10.0.1.11',
      public_ip: null,
      server_role: 'database',
      volume_device: '/dev/disk/by-id/scsi-0HC_Volume_7',
    });
    expect(children.bastion.hosts['staging-bastion-1']?.ansible_host).toBe('203.0.113.2');
  });
});
