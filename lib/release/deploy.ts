import { bring, type Circumstances, type Outcome, underLease } from './bring.ts';
import type { Host } from './host.ts';
import type { Manifest } from './manifest.ts';
import { absentImages, preflight, pull } from './preflight.ts';
import { step } from './progress.ts';
import { writeSecrets } from './secrets.ts';
import { behindOf, leaderOf, type Standing, standingsOf } from './standing.ts';
import * as store from './store.ts';
import { buildRelease, type Release, refuseOtherEnvironment, type Wanted } from './target.ts';

/** Deploys: merges onto the current release, pulls, rolls, asks the public address, records. */
export async function deploy(
  hosts: readonly Host[],
  wanted: Wanted,
  how: Circumstances,
): Promise<Outcome> {
  // Before the wait for the lease, which does not change it.
  refuseOtherEnvironment(wanted.environment, leaderOf(await standingsOf(hosts))?.current);
  await examine(hosts, wanted, how);
  await pullImages(hosts, imagesOf(wanted), how);
  return underLease(hosts, how, async (lease) => {
    const standings = await standingsOf(hosts);
    const { manifest } = await stage(standings, wanted, how);
    return bring(standings, manifest, 'deploy', how, lease);
  });
}

/** What must hold before anything is changed, on every host. */
export async function examine(
  hosts: readonly Host[],
  wanted: Wanted,
  how: Circumstances,
): Promise<void> {
  const need = { memory: wanted.compose.secondSlots, images: imagesOf(wanted) };
  await step(how.tell, '', 'examine the servers', () =>
    Promise.all(hosts.map((host) => preflight(host, need))),
  );
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

/** Fetches what is not there; what was, before the lease was ours, somebody else's run may have pruned. */
export async function pullAbsent(
  host: Host,
  images: readonly string[],
  how: Circumstances,
): Promise<void> {
  const absent = await absentImages(host, images);
  if (absent.length === 0) return;
  await preflight(host, { memory: 0, images: absent });
  await pullImages([host], absent, how);
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
          writeSecrets(host, wanted.secrets),
        ]);
      }),
    ),
  );
  return release;
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
