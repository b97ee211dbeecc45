import { problemOf } from '../../lib/release/evidence.ts';
import type { Host } from '../../lib/release/host.ts';
import { look } from '../../lib/release/lease.ts';
import { inMaintenance } from '../../lib/release/maintenance.ts';
import { begun, currentRelease, readHistory } from '../../lib/release/store.ts';

/** What cannot be asked on one host, such as Docker that is down; the others are told all the same. */
export interface Unasked {
  host: string;
  problem: string;
}

export const isUnasked = (state: object): state is Unasked => 'problem' in state;

/** What runs where, and who holds the environment. */
export function status(hosts: readonly Host[]) {
  return askEach(hosts, async (host) => {
    const [{ slots, edge, outOfRotation }, { lease, binds }, current, journal] = await Promise.all([
      host.state(),
      look(host),
      currentRelease(host),
      begun(host),
    ]);
    const underWay = binds && journal?.token === lease?.token;
    return {
      host: host.name,
      release: current?.release ?? '',
      /** Of the current release. */
      missing: (current?.order ?? [])
        .filter((name) => !slots.some(({ service }) => service === name))
        .concat(current && !edge ? 'caddy' : []),
      /** What the holder releases now. */
      releasing: (underWay && journal?.release) || '',
      /** What a run that is gone has begun. */
      unfinished: (!underWay && journal?.release) || '',
      outOfRotation,
      maintenance: await inMaintenance(host),
      lease,
      held: binds,
      slots: slots.map(({ service, slot, version, health }) => ({
        service,
        slot,
        version,
        health,
      })),
    };
  });
}
export type Status = Awaited<ReturnType<typeof status>>;

/** What was released on each host, oldest first. */
export function history(hosts: readonly Host[]) {
  return askEach(hosts, async (host) => ({ host: host.name, entries: await readHistory(host) }));
}
export type History = Awaited<ReturnType<typeof history>>;

function askEach<T>(
  hosts: readonly Host[],
  ask: (host: Host) => Promise<T>,
): Promise<(T | Unasked)[]> {
  return Promise.all(
    hosts.map((host) =>
      ask(host).catch((error: unknown) => ({ host: host.name, problem: problemOf(error) })),
    ),
  );
}
