import { bring, type Circumstances, type Outcome, underLease } from './bring.ts';
import { allImages, pullAbsent } from './deploy.ts';
import {
  broughtBy,
  componentBefore,
  componentOf,
  type Kept,
  releaseBefore,
  releaseOf,
} from './earlier.ts';
import { problemOf, ReleaseFailure } from './evidence.ts';
import type { Host } from './host.ts';
import type { Component, Manifest } from './manifest.ts';
import { type Preview, previewRelease } from './preview.ts';
import { note, step } from './progress.ts';
import { readSchema, refuseContracted } from './schema.ts';
import { begunOn, behindOf, leaderOf, type Standing, standingsOf } from './standing.ts';
import * as store from './store.ts';
import { type Release, refuseOtherEnvironment, withComponents } from './target.ts';

export interface Asked {
  /** What the servers must be of. */
  environment: string;
  /** Version or release to go back to; what was there before, when left out. */
  version?: string;
  /** Services that go back; all of them when empty. */
  services: readonly string[];
  /** Release or version that is to be taken back: whatever else runs stays. Not asked for when left out. */
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
    const { release, undoes } = await permittedWay(standings, asked);
    const { manifest } = release;
    note(how.tell, '', `Rolling back to ${manifest.release}`);
    await pullAgain(hosts, manifest, how);
    const leader = leaderOf(standings);
    const behind = behindOf(standings);
    await Promise.all(
      hosts.map((host) =>
        step(how.tell, host.name, `see to the files of ${manifest.release}`, async () => {
          await store.giveRelease(host, release);
          if (leader && behind.includes(host)) await store.copyState(leader.host, host);
        }),
      ),
    );
    return bring(standings, { release, action: 'rollback', undoes }, how, lease);
  });
}

/** What a rollback would change, host by host; nothing is locked, pulled or written. */
export async function previewRollback(hosts: readonly Host[], asked: Asked): Promise<Preview> {
  const standings = await standingsOf(hosts);
  const { release } = await permittedWay(standings, asked);
  return previewRelease(standings, release);
}

/** The release to go back to, unless the database has moved beyond it, and the one that this takes back. */
async function permittedWay(
  standings: readonly Standing[],
  asked: Asked,
): Promise<{ release: Release; undoes: string | undefined }> {
  const leader = leaderOf(standings);
  if (leader?.current === undefined) throw new Error('Nothing was ever released here.');
  refuseOtherEnvironment(asked.environment, leader.current);
  const begun = await begunOn(standings);
  // A host that joined later has the newest alone.
  const all = await Promise.all(standings.map(({ host }) => store.keptReleases(host)));
  const kept = new Map(all.flatMap((each) => [...each]));
  // Of a run that was killed people know the version.
  const from = begun.find((name) => kept.get(name)?.version === asked.from) ?? asked.from;
  const wanted = { ...asked, ...(from !== undefined && { from }) };
  const release = await chooseRelease(standings, leader, leader.current, { begun, kept }, wanted);
  // Each is asked: one that was away when a migration ran knows nothing of it.
  for (const schema of await Promise.all(standings.map(({ host }) => readSchema(host)))) {
    refuseContracted(schema, release.manifest, leader.current);
  }
  return { release, undoes: takenBack(begun, leader.current, release.manifest, wanted) };
}

/**
 * What goes back: some services, or everything when there are none. Of a release that others came
 * after, only what it brought and nobody replaced since.
 * @param brought services that run what is to be taken back.
 * @param begun releases that runs which ended in the middle had begun.
 * @throws Error when nothing of it runs: it was taken back already, or something else released.
 */
export function whatGoesBack(
  { from, services }: Pick<Asked, 'from' | 'services'>,
  now: Manifest,
  brought: readonly string[],
  begun: readonly string[],
): readonly string[] {
  const whole = [now.release, now.version, ...begun];
  if (from === undefined || (services.length === 0 && whole.includes(from))) return services;
  const wanted = services.length === 0 ? brought : services;
  const other = wanted.find((service) => now.services[service] && !brought.includes(service));
  if (wanted.length > 0 && other === undefined) return wanted;
  const { version } = now.services[other ?? ''] ?? now;
  throw new Error(`${from} does not run here, but ${version}: nothing was rolled back.`);
}

/**
 * Whether a run ended in the middle of what is to be taken back: it has not changed `current` then, so that
 * is what to go back to. A run that was killed at its very end has.
 */
export function isUnderWay(
  begun: readonly string[],
  now: Manifest,
  from: string | undefined,
): boolean {
  return begun.some((release) => release !== now.release && (from ?? release) === release);
}

/** Services that a run which ended in the middle was replacing: what is current is what they go back to. */
export function replacedBy(
  begun: readonly string[],
  kept: ReadonlyMap<string, Manifest>,
  now: Manifest,
  from: string | undefined,
): string[] {
  const releases = begun.filter((release) => isUnderWay([release], now, from));
  return Object.entries(now.services)
    .filter(([service, { image, config }]) =>
      releases.some((release) => {
        const then = kept.get(release)?.services[service];
        return then !== undefined && (then.image !== image || then.config !== config);
      }),
    )
    .map(([service]) => service);
}

/**
 * The release that a rollback takes back, for the journal: one that comes after a kill finds what this one
 * had found, and goes back to the same. Of one to what is current `bring` knows.
 */
export function takenBack(
  begun: readonly string[],
  now: Manifest,
  target: Manifest,
  { version, from }: Pick<Asked, 'version' | 'from'>,
): string | undefined {
  if (target.release === now.release) return undefined;
  const left = begun.find((release) => isUnderWay([release], now, from));
  return version === undefined && left !== undefined ? left : now.release;
}

/** Images that were removed are fetched again. @throws ReleaseFailure when they are gone there too. */
async function pullAgain(
  hosts: readonly Host[],
  manifest: Manifest,
  how: Circumstances,
): Promise<void> {
  try {
    await Promise.all(hosts.map((host) => pullAbsent(host, allImages(manifest), how)));
  } catch (cause) {
    throw new ReleaseFailure(
      `${manifest.version} cannot be put back, as not all of its images are left. ${problemOf(cause)}`,
      undefined,
      { cause },
    );
  }
}

async function chooseRelease(
  standings: readonly Standing[],
  leader: Standing,
  now: Manifest,
  { begun, kept }: { begun: readonly string[]; kept: Kept },
  asked: Asked,
): Promise<Release> {
  const { version, from } = asked;
  const { history, host } = leader;
  const replaced = replacedBy(begun, kept, now, from);
  const brought = from === undefined ? [] : broughtBy(history, kept, from, now).concat(replaced);
  const services = whatGoesBack(asked, now, brought, begun);
  if (services.length > 0) {
    const back =
      version === undefined ? services.filter((each) => !replaced.includes(each)) : services;
    const components = Object.fromEntries(
      back.map((service) => [service, earlierComponent(history, kept, service, now, version)]),
    );
    const current = await store.readRelease(host, now.release);
    if (current === undefined) throw new Error(`${host.name} lacks files of ${now.release}.`);
    return back.length === 0 ? current : withComponents(current, components);
  }
  const name =
    version !== undefined
      ? releaseOf(history, version)
      : isUnderWay(begun, now, from)
        ? now.release
        : releaseBefore(history, now.release);
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
