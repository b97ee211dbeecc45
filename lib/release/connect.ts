import { knownHosts } from '../inventory/formats.ts';
import { type Inventory, serversOf } from '../inventory/inventory.ts';
import { HostUnreachableError } from '../ssh/errors.ts';
import { SshPool, type SshSettings } from '../ssh/pool.ts';
import { Host } from './host.ts';

/** Where a release goes and how to get there. */
export interface Destination {
  ssh: SshSettings;
  hosts: { name: string; address: string }[];
  /** Whether a host that nobody answers at stops everything, or is left behind for `converge`. */
  unreachable: Unreachable;
}

export const unreachableChoices = ['fail', 'skip'] as const;
export type Unreachable = (typeof unreachableChoices)[number];

/** The application servers of an environment that Terraform made. */
export function destinationOf(
  inventory: Inventory,
  privateKey: string,
  unreachable: Unreachable = 'fail',
): Destination {
  return {
    unreachable,
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

export interface Connected {
  hosts: Host[];
  /** Names of hosts that are left behind, as nobody answers there. */
  absent: string[];
  close: () => Promise<void>;
}

/**
 * Connects to every host before anything is done on one.
 * @throws the SSH errors, of the first host that cannot be used.
 */
export async function connectAll(destination: Destination): Promise<Connected> {
  const pool = new SshPool(destination.ssh);
  try {
    const attempts = await Promise.allSettled(
      destination.hosts.map(({ address, name }) => pool.connect(address, name)),
    );
    const hosts: Host[] = [];
    const absent: string[] = [];
    let problem: unknown;
    for (const [index, { name, address }] of destination.hosts.entries()) {
      const attempt = attempts[index];
      if (attempt?.status !== 'rejected') {
        hosts.push(new Host(name, address, () => pool.connect(address, name)));
        continue;
      }
      problem ??= attempt.reason;
      // Only silence is forgiven: a wrong host key or a refused login is never just a host that is down.
      const silent = attempt.reason instanceof HostUnreachableError;
      if (destination.unreachable === 'fail' || !silent) throw attempt.reason;
      absent.push(name);
    }
    if (hosts.length === 0) throw problem;
    return { hosts, absent, close: () => pool.close() };
  } catch (error) {
    await pool.close();
    throw error;
  }
}
