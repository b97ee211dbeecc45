import { askPublicly, bring, type Circumstances, type Outcome, underLease } from './bring.ts';
import { examine, imagesOf, pullAbsent, stage } from './deploy.ts';
import { ReleaseFailure } from './evidence.ts';
import type { Host } from './host.ts';
import { absentImages } from './preflight.ts';
import { preview, wouldChange } from './preview.ts';
import { recordAll } from './record.ts';
import { isAlreadyThere } from './roll.ts';
import { changedSecrets } from './secrets.ts';
import { leaderOf, momentAfter, type Standing, standingsOf } from './standing.ts';
import * as store from './store.ts';
import { buildRelease, type Release, type Wanted } from './target.ts';

/**
 * A deploy cut in parts, each a process of its own. Every part works the release out anew from what
 * it is given and what is current, so that nothing has to be carried from one to the next; when
 * somebody else releases in between, the next part finds no files of its release and stops.
 */
export interface Part {
  changed: boolean;
  release: string;
  /** What was or, in a dry run, would be done. */
  says: string;
  /** Of the swap, host by host. */
  outcome?: Outcome;
}

/** A part of a deploy. @param dryRun whether it only says what it would do. */
export type Phase = (
  hosts: readonly Host[],
  wanted: Wanted,
  how: Circumstances,
  dryRun: boolean,
) => Promise<Part>;

/** What must hold on the servers before anything is changed. */
export const preflightPhase: Phase = async (hosts, wanted, how) => {
  const { standings, release } = await next(hosts, wanted);
  await examine(standings, wanted, release.manifest, how);
  const says = `${hosts.length} servers can take ${release.manifest.release}`;
  return { changed: false, release: release.manifest.release, says };
};

/** Fetches the images. */
export const pullPhase: Phase = async (hosts, wanted, how, dryRun) => {
  const { release } = await next(hosts, wanted);
  const id = release.manifest.release;
  const images = imagesOf(wanted);
  if (dryRun) {
    const missing = await Promise.all(hosts.map((host) => absentImages(host, images)));
    const count = missing.flat().length;
    return { changed: count > 0, release: id, says: `${count} images would be fetched` };
  }
  const counts = await Promise.all(hosts.map((host) => pullAbsent(host, images, how)));
  const count = counts.reduce((sum, each) => sum + each, 0);
  return { changed: count > 0, release: id, says: `${count} images were fetched` };
};

/** Makes sure that what serves now can be put back: its files and its images, on every server. */
export const backupPhase: Phase = async (hosts, wanted, how, dryRun) => {
  const { standings, release } = await next(hosts, wanted);
  const id = release.manifest.release;
  const current = leaderOf(standings)?.current;
  if (current === undefined) {
    return { changed: false, release: id, says: 'Nothing was ever released here' };
  }
  const images = Object.values(current.services).map(({ image }) => image);
  const lacking = await Promise.all(
    standings.map(async ({ host }) => ({
      files: (await store.readRelease(host, current.release)) === undefined,
      images: await absentImages(host, images),
    })),
  );
  const files = lacking.filter((each) => each.files).length;
  const count = lacking.flatMap((each) => each.images).length;
  if (files > 0) {
    throw new ReleaseFailure(
      `${files} servers have no files of ${current.release}, which is current: run \`compta converge\`.`,
    );
  }
  if (!dryRun) await Promise.all(hosts.map((host) => pullAbsent(host, images, how)));
  const says = `${current.release} can be put back; ${count} of its images were missing`;
  return { changed: count > 0, release: id, says };
};

/** Puts files and secrets of the release on every server. */
export const configsPhase: Phase = async (hosts, wanted, how, dryRun) => {
  const work = async (): Promise<Part> => {
    const { standings, release } = await next(hosts, wanted);
    const id = release.manifest.release;
    const [lacking, secrets] = await Promise.all([
      withoutFiles(standings, id),
      Promise.all(hosts.map((host) => changedSecrets(host, wanted.secrets))),
    ]);
    const changed = lacking.length > 0 || secrets.flat().length > 0;
    if (changed && !dryRun) await stage(standings, wanted, how);
    const says = `files of ${id} on ${lacking.length} servers, ${secrets.flat().length} secrets`;
    return { changed, release: id, says };
  };
  return dryRun ? work() : underLease(hosts, how, work);
};

/** Swaps the services; what fails is rolled back. */
export const swapPhase: Phase = async (hosts, wanted, how, dryRun) => {
  if (dryRun) {
    const found = await preview(hosts, wanted);
    const plans = found.hosts.flatMap(({ plan }) => plan.services);
    const count = plans.filter(({ steps }) => steps.length > 0).length;
    const says = `${count} services would be swapped`;
    return { changed: wouldChange(found), release: found.release, says };
  }
  return underLease(hosts, how, async (lease) => {
    const { standings, release } = await staged(hosts, wanted);
    // What an earlier run swapped, and did not get to prove, is this one's.
    const begun = await Promise.all(standings.map(({ host }) => store.begun(host)));
    const work = { release, action: 'deploy', last: 'swap' } as const;
    const outcome = await bring(standings, work, how, lease);
    const swapped = outcome.rows.filter((row) => row.outcome === 'swapped').length;
    const says = outcome.problem ?? `${swapped} services were swapped`;
    const changed = outcome.status !== 'unchanged' || begun.some(Boolean);
    return { changed, release: release.manifest.release, says, outcome };
  });
};

/** Holds what serves to the release: on the servers and, when it is known, at the public address. */
export const verifyPhase: Phase = async (hosts, wanted, how, dryRun) => {
  const { standings, release } = await next(hosts, wanted);
  const id = release.manifest.release;
  if (dryRun) return { changed: false, release: id, says: `${id} would be asked for` };
  await mustServe(standings, release);
  await askPublicly(standings, release.manifest, how);
  return { changed: false, release: id, says: `${id} serves` };
};

/** Makes the release the current one: link, history, audit log; prunes. */
export const recordPhase: Phase = async (hosts, wanted, how, dryRun) => {
  const { standings, release } = await next(hosts, wanted);
  const id = release.manifest.release;
  const changed = standings.some(({ current }) => current?.release !== id);
  const says = changed ? `${id} is current` : `${id} was current already`;
  if (dryRun) return { changed, release: id, says };
  return underLease(hosts, how, async () => {
    const { standings: now, release: target } = await staged(hosts, wanted);
    await mustServe(now, target);
    const { manifest } = target;
    const targets = now.map(({ host, current }) => ({ host, current, target: manifest }));
    const known = now.flatMap(({ history }) => history.map((entry) => entry.at));
    const when = { begun: Date.parse(manifest.createdAt), at: momentAfter(known) };
    await recordAll(targets, leaderOf(now)?.current, 'deploy', how, when, !changed);
    return { changed, release: id, says };
  });
};

async function next(
  hosts: readonly Host[],
  wanted: Wanted,
): Promise<{ standings: Standing[]; release: Release }> {
  const standings = await standingsOf(hosts);
  return { standings, release: buildRelease(wanted, leaderOf(standings)?.current) };
}

/** As {@link next}, with the release as it lies on the servers. @throws ReleaseFailure when it does not. */
async function staged(
  hosts: readonly Host[],
  wanted: Wanted,
): Promise<{ standings: Standing[]; release: Release }> {
  const { standings, release } = await next(hosts, wanted);
  const id = release.manifest.release;
  const lacking = await withoutFiles(standings, id);
  const first = standings[0] && (await store.readRelease(standings[0].host, id));
  if (lacking.length > 0 || first === undefined) {
    throw new ReleaseFailure(
      `${lacking.join(', ')} lacks the files of ${id}: run the configs part, with the same ` +
        'options; if it ran, another release came in between, so begin anew.',
    );
  }
  return { standings, release: first };
}

async function withoutFiles(standings: readonly Standing[], release: string): Promise<string[]> {
  const found = await Promise.all(
    standings.map(({ host }) =>
      store.readRelease(host, release).then((files) => ({ host, files })),
    ),
  );
  return found.filter(({ files }) => files === undefined).map(({ host }) => host.name);
}

async function mustServe(standings: readonly Standing[], release: Release): Promise<void> {
  const target = release.manifest;
  const targets = standings.map(({ host, current }) => ({ host, current, target }));
  if (await isAlreadyThere(targets)) return;
  throw new ReleaseFailure(
    `Not every server runs ${target.release}: run the swap part, with the same options.`,
  );
}
