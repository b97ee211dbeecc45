import type { Job } from './actions.ts';
import { realizeNetwork, setLeg } from './private-network.ts';
import type { PrivateNet, Server } from './resources.ts';
import { boot, destroyMachine, during, halt } from './server-machine.ts';
import { find, remove } from './world.ts';

/** Prepares a server: its firewalls stand before anything can reach it. */
export const createServer: Job<{ id: number }> = {
  name: 'server.create_server',
  locks: ['server'],
  async perform({ world, policies }, { id }) {
    await policies.enforce();
    find(world, 'server', id).status = 'off';
  },
};

export const startServer: Job<{ id: number }> = {
  name: 'server.start_server',
  locks: ['server'],
  async perform(site, { id }, progress) {
    const server = find(site.world, 'server', id);
    progress(10);
    await during(server, 'starting', 'running', () => boot(site, server));
    progress(80);
    await site.policies.enforce();
  },
};

/** Both the plug and the ACPI button: the machinery always stops gracefully. */
function stopping(command: 'stop_server' | 'shutdown_server'): Job<{ id: number }> {
  return {
    name: `server.${command}`,
    locks: ['server'],
    async perform(site, { id }) {
      const server = find(site.world, 'server', id);
      await during(server, 'stopping', 'off', () => halt(site, server));
    },
  };
}
export const stopServer = stopping('stop_server');
export const shutdownServer = stopping('shutdown_server');

function restarting(command: 'reboot_server' | 'reset_server'): Job<{ id: number }> {
  return {
    name: `server.${command}`,
    locks: ['server'],
    async perform(site, { id }) {
      const server = find(site.world, 'server', id);
      await during(server, 'stopping', 'off', () => halt(site, server));
      await during(server, 'starting', 'running', () => boot(site, server));
    },
  };
}
export const rebootServer = restarting('reboot_server');
export const resetServer = restarting('reset_server');

/** A new disk from the image; volumes and addresses stay. */
export const rebuildServer: Job<{ id: number; image: number; userData: string }> = {
  name: 'server.rebuild_server',
  locks: ['server'],
  async perform(site, { id, image, userData }) {
    const server = find(site.world, 'server', id);
    await during(server, 'rebuilding', 'running', async () => {
      await destroyMachine(site, id);
      server.machine = 'none';
      server.image = image;
      server.userData = userData;
      await boot(site, server);
    });
  },
};

export const deleteServer: Job<{ id: number }> = {
  name: 'server.delete_server',
  locks: ['server'],
  async perform(site, { id }) {
    const { world, policies } = site;
    const server = world.records.server.find((record) => record.id === id);
    if (server) await during(server, 'deleting', 'deleting', () => destroyMachine(site, id));
    for (const volume of world.records.volume) {
      if (volume.server === id) volume.server = null;
    }
    for (const ip of world.records.primary_ip.filter(({ assignee }) => assignee === id)) {
      ip.assignee = null;
      if (ip.autoDelete) remove(world, 'primary_ip', ip.id);
    }
    for (const ip of world.records.floating_ip) if (ip.server === id) ip.server = null;
    for (const image of [...world.records.image]) {
      // Backups belong to their server, snapshots stay.
      if (image.type === 'backup' && image.server.id === id) remove(world, 'image', image.id);
    }
    for (const firewall of world.records.firewall) {
      firewall.appliedTo = firewall.appliedTo.filter(
        (target) => target.type !== 'server' || target.server !== id,
      );
    }
    for (const balancer of world.records.load_balancer) {
      balancer.targets = balancer.targets.filter(
        (target) => target.type !== 'server' || target.server !== id,
      );
    }
    remove(world, 'server', id);
    await policies.enforce();
  },
};

export const attachToNetwork: Job<
  { id: number; network: number } & Pick<PrivateNet, 'ip' | 'aliasIps'>
> = {
  name: 'server.attach_to_network',
  locks: ['server'],
  async perform(site, { id, network, ip, aliasIps }) {
    const server = find(site.world, 'server', id);
    const others = server.privateNet.filter((net) => net.network !== network);
    const privateNet = { network, ip, aliasIps, macAddress: macAddress(id) };
    if (server.machine !== 'none') {
      await realizeNetwork(site, network);
      await setLeg(site, id, network, ip);
    }
    server.privateNet = [...others, privateNet];
    await site.policies.enforce();
  },
};

export const detachFromNetwork: Job<{ id: number; network: number }> = {
  name: 'server.detach_from_network',
  locks: ['server'],
  async perform(site, { id, network }) {
    const { world, policies } = site;
    const server = find(world, 'server', id);
    if (server.machine !== 'none') await setLeg(site, id, network, null);
    server.privateNet = server.privateNet.filter((net) => net.network !== network);
    await policies.enforce();
  },
};

/** What only changes the record: the machine has no size and its guest sets alias addresses. */
export const changeServer = {
  change_alias_ips: changing('change_alias_ips'),
  change_protection: changing('change_protection'),
  enable_backup: changing('enable_backup'),
  disable_backup: changing('disable_backup'),
  enable_rescue: changing('enable_rescue'),
  disable_rescue: changing('disable_rescue'),
  attach_iso: changing('attach_iso'),
  detach_iso: changing('detach_iso'),
  remove_from_placement_group: changing('remove_from_placement_group'),
  // These two move a stopped server to another host, and Hetzner starts it there.
  add_to_placement_group: changing('add_to_placement_group', boot),
  change_server_type: changing('change_server_type', boot),
};

function changing(
  command: string,
  restart?: typeof boot,
): Job<{ id: number; change: Partial<Server> }> {
  return {
    name: `server.${command}`,
    locks: ['server'],
    async perform(site, { id, change }) {
      const server = find(site.world, 'server', id);
      if (restart) await during(server, 'starting', 'running', () => restart(site, server));
      Object.assign(server, change);
    },
  };
}

export const serverJobs = [
  createServer,
  startServer,
  stopServer,
  shutdownServer,
  rebootServer,
  resetServer,
  rebuildServer,
  deleteServer,
  attachToNetwork,
  detachFromNetwork,
  ...Object.values(changeServer),
];

/** Locally administered and stable for a server. */
export function macAddress(id: number): string {
  const digits = id.toString(16).padStart(8, '0').slice(-8);
  return `86:00:${(digits.match(/../g) ?? []).join(':')}`;
}
