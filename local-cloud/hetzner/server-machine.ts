import { publicIpv4 } from './policies.ts';
import { realizeNetwork, setLeg } from './private-network.ts';
import type { Server } from './resources.ts';
import type { Site } from './site.ts';

/** Shows a passing state while the work lasts, and the earlier one again when it fails. */
export async function during(
  server: Server,
  passing: Server['status'],
  final: Server['status'],
  work: () => Promise<void>,
): Promise<void> {
  const before = server.status;
  server.status = passing;
  try {
    await work();
    server.status = final;
  } catch (error) {
    server.status = before;
    throw error;
  }
}

/** Stops the machine, when there is one. */
export async function halt({ machinery }: Site, server: Server): Promise<void> {
  if (server.machine !== 'none') await machinery.stopServer(server.id);
}

/** Brings the machine up with all that belongs to it. */
export async function boot(site: Site, server: Server): Promise<void> {
  const { world, machinery } = site;
  if (server.machine === 'current') {
    await machinery.startServer(server.id);
  } else {
    await machinery.createServer({
      id: server.id,
      name: server.name,
      publicIp: publicIpv4(world, server),
      userData: server.userData,
      sshKeys: server.sshKeys,
    });
    server.machine = 'current';
  }
  for (const { network, ip } of server.privateNet) {
    await realizeNetwork(site, network);
    await setLeg(site, server.id, network, ip);
  }
  for (const volume of world.records.volume) {
    if (volume.server === server.id) await machinery.attachVolume(volume.id, server.id);
  }
}

/** Takes the machine away; its volumes stay. */
export async function destroyMachine({ world, machinery }: Site, id: number): Promise<void> {
  for (const volume of world.records.volume) {
    if (volume.server === id) await machinery.detachVolume(volume.id);
  }
  await machinery.deleteServer(id);
}
