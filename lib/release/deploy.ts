import { bring, type Circumstances, type Outcome, underLease } from './bring.ts';
import type { Host } from './host.ts';
import { look } from './lease.ts';
import type { Manifest } from './manifest.ts';
import { planHost } from './plan.ts';
import { absentImages, preflight, pull } from './preflight.ts';
import { note, step } from './progress.ts';
import { changedSecrets, type Secrets, writeSecrets } from './secrets.ts';
import type { HostState } from './slots.ts';
import { behindOf, leaderOf, type Standing, standingsOf } from './standing.ts';
import * as store from './store.ts';
import { buildRelease, type Release, refuseOtherEnvironment, type Wanted } from './target.ts';

/** Deploys: merges onto the current release, pulls, rolls, asks the public address, records. */
export async function deploy(
  hosts: readonly Host[],
  wanted: Wanted,
  how: Circumstances,
): Promise<Outcome> {
  const [before, leases] = await Promise.all([standingsOf(hosts), Promise.all(hosts.map(look))]);
  const current = leaderOf(before)?.current;
  refuseOtherEnvironment(wanted.environment, current);
  // What another run is at may be what this one needs, such as the first release of all services.
  const taken = leases.some(({ binds }) => binds);
  const expected = taken ? undefined : buildRelease(wanted, current).manifest;
  await examine(before, wanted, expected, how);
  await pullImages(hosts, imagesOf(wanted), how);
  return underLease(hosts, how, async (lease) => {
    const standings = await standingsOf(hosts);
    const release = await stage(standings, wanted, how);
    return bring(standings, { release, action: 'deploy' }, how, lease);
  });
}

/**
 * What must hold before anything is changed, on every host.
 * @param target what it comes to; memory is not asked for where nobody knows yet.
 */
export async function examine(
  standings: readonly Standing[],
  wanted: Wanted,
  target: Manifest | undefined,
  how: Circumstances,
): Promise<void> {
  await step(how.tell, '', 'examine the servers', () =>
    Promise.all(
      standings.map(({ host, current }) => {
        const memory = async () =>
          target ? secondSlots(await host.state(), target, current, wanted.compose.memory) : 0;
        return preflight(host, { memory, images: imagesOf(wanted) });
      }),
    ),
  );
}

/**
 * Bytes that second slots may take at once: of the two largest, as one starts while another ends. A
 * slot that a killed run left ends before the next one starts in its place.
 */
export function secondSlots(
  state: HostState,
  target: Manifest,
  current: Manifest | undefined,
  memory: Readonly<Record<string, number>>,
): number {
  const sizes = planHost(state, target, current).services.flatMap(({ service, steps }) => {
    const up = state.slots.filter((slot) => slot.service === service).length;
    const starts = steps.some(({ kind }) => kind === 'start');
    return starts && up < 2 ? (memory[service] ?? 0) : [];
  });
  const [largest = 0, second = 0] = sizes.sort((x, y) => y - x);
  return largest + second;
}

/** Fetches images on all hosts at once. @returns how many were fetched. */
export async function pullImages(
  hosts: readonly Host[],
  images: readonly string[],
  how: Circumstances,
): Promise<number> {
  const pulled = await Promise.all(
    hosts.map((host) =>
      step(how.tell, host.name, `pull ${images.length} images`, () => pull(host, images, how)),
    ),
  );
  return pulled.reduce((sum, count) => sum + count, 0);
}

/**
 * Fetches what is not there; what was, before the lease was ours, somebody else's run may have pruned.
 * @returns how many were fetched.
 */
export async function pullAbsent(
  host: Host,
  images: readonly string[],
  how: Circumstances,
): Promise<number> {
  const absent = await absentImages(host, images);
  if (absent.length === 0) return 0;
  await preflight(host, { memory: async () => 0, images: absent });
  return pullImages([host], absent, how);
}

/** Merges what is wanted onto what is current and puts files and secrets on every host. */
export async function stage(
  standings: readonly Standing[],
  wanted: Wanted,
  how: Circumstances,
): Promise<Release> {
  const leader = leaderOf(standings);
  const release = buildRelease(wanted, leader?.current);
  const behind = behindOf(standings);
  await Promise.all(
    standings.map(({ host }) => {
      // One that is behind may lack the images of services that this release leaves as they are.
      const all = behind.includes(host);
      return pullAbsent(host, all ? allImages(release.manifest) : imagesOf(wanted), how);
    }),
  );
  await Promise.all(
    standings.map(({ host }) =>
      step(how.tell, host.name, `write the files of ${release.manifest.release}`, async () => {
        await store.prepareFolders(host, release.manifest.order);
        if (leader && behind.includes(host)) await store.copyState(leader.host, host);
        await Promise.all([
          store.writeRelease(host, release),
          store.keepAssets(host, release.manifest),
          replaceSecrets(host, wanted.secrets, how),
        ]);
      }),
    ),
  );
  return release;
}

/** Those that differ, which the audit log tells first. */
async function replaceSecrets(host: Host, secrets: Secrets, how: Circumstances): Promise<void> {
  const changed = await changedSecrets(host, secrets);
  if (changed.length === 0) return;
  note(how.tell, host.name, `new or changed secrets: ${changed.join(', ')}`);
  await store.audit(host, how.by, `secrets ${changed.join(', ')}`, how.run, how.reason);
  await writeSecrets(host, secrets, changed);
}

/** Images of a release, Caddy's too. */
export function allImages({ services, edge }: Manifest): string[] {
  return Object.values(services)
    .map(({ image }) => image)
    .concat(edge.image);
}

export function imagesOf(wanted: Wanted): string[] {
  return Object.values(wanted.images).concat(wanted.variables.CADDY_IMAGE ?? []);
}
