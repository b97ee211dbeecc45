import { knownHosts } from '../inventory/formats.ts';
import { type Inventory, serversOf } from '../inventory/inventory.ts';
import { SshPool, type SshSettings } from '../ssh/pool.ts';
import { Host } from './host.ts';

/** Where a release goes and how to get there. */
export interface Destination {
  ssh: SshSettings;
  hosts: { name: string; address: string }[];
}

/** The application servers of an environment that Terraform made. */
export function destinationOf(inventory: Inventory, privateKey: string): Destination {
  return {
    ssh: {
      ...inventory.ssh,
      privateKey,
      knownHosts: knownHosts(inventory),
      jumpHost: inventory.bastion.publicIp,
    },
    hosts: serversOf(inventory, 'application').map(({ name, privateIp }) => ({
      name,
      address: privateIp,
    })),
  };
}

/**
 * Connects to every host before anything is done on one.
 * @throws the SSH errors, of the first host that cannot be used.
 */
export async function connectAll(
  destination: Destination,
): Promise<{ hosts: Host[]; close: () => Promise<void> }> {
  const pool = new SshPool(destination.ssh);
  try {
    await Promise.all(destination.hosts.map(({ address, name }) => pool.connect(address, name)));
  } catch (error) {
    await pool.close();
    throw error;
  }
  const hosts = destination.hosts.map(
    ({ name, address }) => new Host(name, address, () => pool.connect(address, name)),
  );
  return { hosts, close: () => pool.close() };
}
