import type { Inventory, Server } from './inventory.ts';

/** `known_hosts` text: every server by its private address, the bastion by its public one too. */
export function knownHosts(inventory: Inventory): string {
  return inventory.servers.map((server) => knownHost(inventory, server, server.hostKey)).join('');
}

/** The lines of one server, for a key that need not be the one of the inventory. */
export function knownHost({ bastion, ssh }: Inventory, server: Server, key: string): string {
  const addresses = [...(server.name === bastion.name ? [bastion.publicIp] : []), server.privateIp];
  const name = (address: string) => (ssh.port === 22 ? address : `[${address}]:${ssh.port}`);
  return addresses.map((address) => `${name(address)} ${key}\n`).join('');
}

/**
 * `ssh_config` text for `ssh -F`: the bastion directly, everything else through it. OpenSSH passes
 * `-F` on to the jump, so that the hop has the same key, user and known hosts.
 */
export function sshConfig(
  inventory: Inventory,
  files: { identityFile: string; identityAgent?: string; knownHostsFiles: readonly string[] },
): string {
  const { bastion } = inventory;
  const hosts = inventory.servers.map((server) =>
    server.name === bastion.name
      ? `Host ${server.name} ${bastion.publicIp} ${server.privateIp}\n  HostName ${bastion.publicIp}\n`
      : `Host ${server.name} ${server.privateIp}\n  HostName ${server.privateIp}\n  ProxyJump ${bastion.name}\n`,
  );
  const common = [
    'Host *',
    `  User ${inventory.ssh.user}`,
    `  Port ${inventory.ssh.port}`,
    `  IdentityFile "${files.identityFile}"`,
    ...(files.identityAgent ? [`  IdentityAgent "${files.identityAgent}"`] : []),
    '  IdentitiesOnly yes',
    `  UserKnownHostsFile ${files.knownHostsFiles.map((file) => `"${file}"`).join(' ')}`,
    '  GlobalKnownHostsFile /dev/null',
    '  StrictHostKeyChecking yes',
    '  UpdateHostKeys no',
    '  BatchMode yes',
    '  ConnectTimeout 15',
    '  ServerAliveInterval 15',
    '  ServerAliveCountMax 4',
    '',
  ];
  return [...hosts, common.join('\n')].join('\n');
}

interface AnsibleHost {
  ansible_host: string;
  ansible_port: number;
  ansible_user: string;
  private_ip: string;
  public_ip: string | null;
  server_role: Server['role'];
  volume_device: string | null;
}

export interface AnsibleInventory {
  all: {
    vars: Record<string, string>;
    children: Record<Server['role'], { hosts: Record<string, AnsibleHost> }>;
  };
}

/** The inventory as Ansible's YAML inventory plugin reads it; every group is there, even if empty. */
export function ansibleInventory(inventory: Inventory): AnsibleInventory {
  const group = (role: Server['role']): { hosts: Record<string, AnsibleHost> } => ({
    hosts: Object.fromEntries(
      inventory.servers
        .filter((server) => server.role === role)
        .map((server) => [server.name, ansibleHost(inventory, server)]),
    ),
  });
  return {
    all: {
      vars: {
        environment_name: inventory.environment,
        network_cidr: inventory.networkCidr,
        load_balancer_private_ip: inventory.loadBalancer.privateIp,
        load_balancer_public_ip: inventory.loadBalancer.publicIp,
      },
      children: {
        application: group('application'),
        bastion: group('bastion'),
        database: group('database'),
        monitoring: group('monitoring'),
      },
    },
  };
}

function ansibleHost(inventory: Inventory, server: Server): AnsibleHost {
  const { bastion } = inventory;
  return {
    ansible_host: server.name === bastion.name ? bastion.publicIp : server.privateIp,
    ansible_port: inventory.ssh.port,
    ansible_user: inventory.ssh.user,
    private_ip: server.privateIp,
    public_ip: server.publicIp,
    server_role: server.role,
    volume_device: server.volumeDevice,
  };
}
