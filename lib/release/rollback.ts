import { bring, type Circumstances, type Outcome, underLease } from './bring.ts';
import { allImages, pullImages } from './deploy.ts';
import { componentBefore, componentOf, releaseBefore, releaseOf } from './earlier.ts';
import { ReleaseFailure } from './evidence.ts';
import type { Host } from './host.ts';
import type { Component, Manifest } from './manifest.ts';
import { type Preview, previewRelease } from './preview.ts';
import { note, step } from './progress.ts';
import { readSchema, refuseContracted } from './schema.ts';
import { behindOf, leaderOf, type Standing, standingsOf } from './standing.ts';
import * as store from './store.ts';
import { type Release, withComponents } from './target.ts';

export interface Asked {
  /** Version or release to go back to; what was there before, when left out. */
  version?: string;
  /** Services that go back; all of them when empty. */
  services: readonly string[];
  /** Version that is to be taken back: any other that runs stays. Not asked for when left out. */
  from?: string;
}

/** Puts a kept release back, or what some services ran: the same swap as a deploy's. */
export async function rollback(
  hosts: readonly Host[],
  asked: Asked,
  how: Circumstances,
): Promise<Outcome> {
  return underLease(hosts, how, async (lease) => {
    const standings = await standingsOf(hosts);
    const target = await permittedTarget(standings, asked);
    const { manifest } = target;
    note(how.tell, '', `Rolling back to ${manifest.release}`);
    await pullAgain(hosts, manifest, how);
    const leader = leaderOf(standings);
    const behind = behindOf(standings);
    for (const host of hosts) {
      await step(how.tell, host.name, `see to the files of ${manifest.release}`, async () => {
        await store.giveRelease(host, target);
        if (leader && behind.includes(host)) await store.copyState(leader.host, host);
      });
    }
    return bring(standings, manifest, 'rollback', how, lease);
  });
}

/** What a rollback would change, host by host; nothing is locked, pulled or written. */
export async function previewRollback(hosts: readonly Host[], asked: Asked): Promise<Preview> {
  const standings = await standingsOf(hosts);
  return previewRelease(standings, await permittedTarget(standings, asked));
}

/** The release to go back to, unless the database has moved beyond it. */
async function permittedTarget(standings: readonly Standing[], asked: Asked): Promise<Release> {
  const leader = leaderOf(standings);
  if (leader?.current === undefined) throw new Error('Nothing was ever released here.');
  refuseOther(leader.current, asked);
  const target = await chooseTarget(standings, leader, leader.current, asked);
  // Each is asked: one that was away when a migration ran knows nothing of it.
  for (const schema of await Promise.all(standings.map(({ host }) => readSchema(host)))) {
    refuseContracted(schema, target.manifest, leader.current);
  }
  return target;
}

/** @throws Error when what is to be taken back does not run: that was done, or something else released. */
function refuseOther(now: Manifest, { from, services }: Asked): void {
  const running =
    services.length === 0
      ? [now.version]
      : services.flatMap((service) => now.services[service]?.version ?? []);
  const other = running.find((version) => version !== from);
  if (from === undefined || other === undefined) return;
  throw new Error(`${from} does not run here, but ${other}: nothing was rolled back.`);
}

/** Images that were removed are fetched again. @throws ReleaseFailure when they are gone there too. */
async function pullAgain(
  hosts: readonly Host[],
  manifest: Manifest,
  how: Circumstances,
): Promise<void> {
  try {
    await pullImages(hosts, allImages(manifest), how);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ReleaseFailure(
      `${manifest.version} cannot be put back, as not all of its images are left. ${why}`,
      undefined,
      { cause },
    );
  }
}

async function chooseTarget(
  standings: readonly Standing[],
  leader: Standing,
  now: Manifest,
  { version, services }: Asked,
): Promise<Release> {
  const { history, host } = leader;
  if (services.length > 0) {
    // A host that joined later has the newest alone.
    const kept = await Promise.all(standings.map((standing) => store.keptReleases(standing.host)));
    const all = new Map(kept.flatMap((each) => [...each]));
    const components = Object.fromEntries(
      services.map((service) => [service, earlierComponent(history, all, service, now, version)]),
    );
    const current = await store.readRelease(host, now.release);
    if (current === undefined) throw new Error(`${host.name} lacks files of ${now.release}.`);
    return withComponents(current, components);
  }
  // A run that ended in the middle has not changed `current`: that is what to go back to. On a host
  // that is behind the others, it is one that they have gone beyond.
  const behind = behindOf(standings);
  const level = standings.map((standing) => standing.host).filter((each) => !behind.includes(each));
  const begun = await Promise.all(level.map(store.unfinished));
  const name =
    version === undefined
      ? begun.some(Boolean)
        ? now.release
        : releaseBefore(history, now.release)
      : releaseOf(history, version);
  if (name === undefined) {
    throw new Error(
      version === undefined
        ? `There is no release before ${now.release} to go back to. ${known(history)}`
        : `${version} was never released here. ${known(history)}`,
    );
  }
  for (const standing of standings) {
    const release = await store.readRelease(standing.host, name);
    if (release !== undefined) return release;
  }
  throw new Error(
    `The files of ${name} are on no server any more: it was pruned. Deploy that version again. ` +
      known(history),
  );
}

/** @throws Error when the service never ran anything else that is still kept. */
function earlierComponent(
  history: readonly store.HistoryEntry[],
  kept: ReadonlyMap<string, Manifest>,
  service: string,
  now: Manifest,
  version: string | undefined,
): Component {
  const current = now.services[service];
  if (current === undefined) {
    const names = Object.keys(now.services).join(', ');
    throw new Error(`There is no service ${service} here; there are ${names}.`);
  }
  const found =
    version === undefined
      ? componentBefore(history, kept, service, current)
      : componentOf(history, kept, service, version);
  if (found !== undefined) return found;
  throw new Error(
    version === undefined
      ? `No kept release has an earlier ${service} than ${current.version}.`
      : `No kept release has ${service} ${version}. ${known(history)}`,
  );
}

function known(history: readonly store.HistoryEntry[]): string {
  return `Known versions: ${[...new Set(history.map((entry) => entry.version))].join(', ')}.`;
}
