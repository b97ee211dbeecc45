import { componentBefore, releaseBefore } from '../release/earlier.ts';
import type { Host } from '../release/host.ts';
import { isSince } from '../release/schema.ts';
import type { Slot } from '../release/slots.ts';
import { leaderOf, standingsOf } from '../release/standing.ts';
import { keptReleases } from '../release/store.ts';
import { readiness } from '../release/traffic.ts';

/** The image of a service that is released now; `undefined` before its first release. */
export async function releasedImage(
  hosts: readonly Host[],
  service: string,
): Promise<string | undefined> {
  return leaderOf(await standingsOf(hosts))?.current?.services[service]?.image;
}

/** A release of a service that a host runs, or would go back to. */
export interface Served {
  host: string;
  role: 'runs' | 'would go back to';
  version: string;
}

/** Which releases of a service the schema must suit: what runs, and what a rollback would bring. */
export async function servedReleases(hosts: readonly Host[], service: string): Promise<Served[]> {
  const standings = await standingsOf(hosts);
  const each = await Promise.all(
    standings.map(async ({ host, current, history }) => {
      const { slots } = await host.state();
      const now = current?.services[service];
      const running = slots
        .filter((slot) => slot.service === service)
        .map(({ version }) => version);
      const kept = await keptReleases(host);
      // A rollback may be of everything, or of this service alone.
      const whole = kept.get(releaseBefore(history, current?.release ?? '') ?? '');
      const alone = now && componentBefore(history, kept, service, now);
      const runs = new Set([...running, now?.version ?? '']);
      const before = new Set([whole?.services[service]?.version ?? '', alone?.version ?? '']);
      return [
        ...[...runs].map((version) => ({ host: host.name, role: 'runs' as const, version })),
        ...[...before].map((version) => ({
          host: host.name,
          role: 'would go back to' as const,
          version,
        })),
      ];
    }),
  );
  return each.flat().filter(({ version }) => version !== '');
}

/** Why a script that is safe from release `since` on cannot be applied yet; one line a host. */
export function standInTheWay(served: readonly Served[], service: string, since: string): string[] {
  return served.flatMap(({ host, role, version }) => {
    const suits = isSince(version, since);
    if (suits) return [];
    const doubt = suits === undefined ? ', a version without numbers to compare' : '';
    return [`${host} ${role} ${service} ${version}${doubt}`];
  });
}

/** Slots of a service that are not well, after `tries` looks one second apart. */
export async function unwellSlots(
  hosts: readonly Host[],
  service: string,
  tries = 5,
): Promise<{ asked: number; unwell: string[] }> {
  for (let left = tries; ; left -= 1) {
    const looks = await Promise.all(hosts.map((host) => lookAt(host, service)));
    const all = looks.flat();
    const unwell = all.flatMap(({ problem }) => problem ?? []);
    if (unwell.length === 0 || left <= 1) return { asked: all.length, unwell };
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

async function lookAt(host: Host, service: string): Promise<{ problem?: string }[]> {
  const { slots } = await host.state();
  const name = (slot: Slot) => `${slot.service}-${slot.slot} on ${host.name}`;
  return Promise.all(
    slots
      .filter((slot) => slot.service === service)
      .map(async (slot) => {
        if (slot.health === 'unhealthy') return { problem: `${name(slot)} is unhealthy` };
        const status = await readiness(host, slot);
        if (status === 200) return {};
        return { problem: `the readiness of ${name(slot)} answers ${status || 'nothing'}` };
      }),
  );
}
