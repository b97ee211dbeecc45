import { isIPv6 } from 'node:net';
import { knownHosts } from '../inventory/formats.ts';
import { type Inventory, serversOf } from '../inventory/inventory.ts';
import { HostUnreachableError } from '../ssh/errors.ts';
import { SshPool, type SshSettings } from '../ssh/pool.ts';
import { ReleaseFailure } from './evidence.ts';
import { Host } from './host.ts';
import { serves } from './slots.ts';
import { answered } from './waiting.ts';

/** A server of the environment, reached or not. */
export interface Server {
  name: string;
  address: string;
}

/** Where a release goes and how to get there. */
export interface Destination {
  ssh: SshSettings;
  hosts: Server[];
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
  /** Where nobody answers. */
  absent: Server[];
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
    const absent: Server[] = [];
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
      absent.push({ name, address });
    }
    if (hosts.length === 0) throw problem;
    return { hosts, absent, close: () => pool.close() };
  } catch (error) {
    await pool.close();
    throw error;
  }
}

/**
 * Whether a release may go to the servers that answer alone.
 * @throws ReleaseFailure when one of the others serves users all the same, or may know of a release
 *   that no server which answers has.
 */
export async function mayLeave(hosts: readonly Host[], absent: readonly Server[]): Promise<void> {
  for (const { name, address } of absent) {
    const health = `http://${isIPv6(address) ? `[${address}]` : address}/healthz`;
    const isWell = (host: Host): Promise<boolean> =>
      answered(
        async () => (await host.http(health)).status === 200,
        (well) => !well,
      );
    if (!(await Promise.all(hosts.map(isWell))).some(Boolean)) continue;
    throw new ReleaseFailure(
      `${name} does not answer over SSH, but serves users, and would go on with what it has: mend ` +
        'SSH there or power it off, then run it again.',
    );
  }
  const states = await Promise.all(hosts.map((host) => host.state()));
  const isFirst = states.every(({ outOfRotation }) => !outOfRotation);
  if (isFirst || states.some(serves)) return;
  throw new ReleaseFailure(
    `${namesOf(hosts)}: out of rotation, which may be for a release that only ${namesOf(absent)} ` +
      'has. Bring that back; if it is lost, give `hosts` without it, or take it out of the inventory.',
  );
}

export const namesOf = (servers: readonly { name: string }[]): string =>
  servers.map(({ name }) => name).join(', ');
