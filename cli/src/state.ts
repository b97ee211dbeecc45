import type { Host } from '../../lib/release/host.ts';
import { look } from '../../lib/release/lease.ts';
import { inMaintenance } from '../../lib/release/maintenance.ts';
import { currentRelease, readHistory, unfinished } from '../../lib/release/store.ts';

/** What runs where, and who holds the environment. */
export async function status(hosts: readonly Host[]) {
  return Promise.all(
    hosts.map(async (host) => {
      const [{ slots, edge, outOfRotation }, { lease, binds }, current] = await Promise.all([
        host.state(),
        look(host),
        currentRelease(host),
      ]);
      return {
        host: host.name,
        release: current?.release ?? '',
        /** Of the current release. */
        missing: (current?.order ?? [])
          .filter((name) => !slots.some(({ service }) => service === name))
          .concat(current && !edge ? 'caddy' : []),
        unfinished: (await unfinished(host)) ?? '',
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
    }),
  );
}
export type Status = Awaited<ReturnType<typeof status>>;

/** What was released on each host, oldest first. */
export async function history(hosts: readonly Host[]) {
  return Promise.all(
    hosts.map(async (host) => ({ host: host.name, entries: await readHistory(host) })),
  );
}
export type History = Awaited<ReturnType<typeof history>>;
