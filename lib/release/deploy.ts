import { type Evidence, ReleaseFailure } from './evidence.ts';
import { passGate } from './gate.ts';
import { type Host, LeaseLostError } from './host.ts';
import { Lease } from './lease.ts';
import type { Manifest } from './manifest.ts';
import { type HostPlan, isEmpty, planHost } from './plan.ts';
import { preflight, pull } from './preflight.ts';
import { type HostTarget, journal, type RollOptions, type Row, rollHosts } from './roll.ts';
import * as store from './store.ts';
import { buildRelease, newestOf, type Wanted } from './target.ts';

/** Who does it and how; the same for a deploy and a rollback. */
export interface Circumstances extends Omit<RollOptions, 'say' | 'stop'> {
  by: string;
  run: string;
  reason?: string;
  lockTimeout: number;
  rollbackOnFailure: boolean;
  /** Public address to ask at the end; without it only the hosts are asked. */
  baseUrl?: string;
  /** Releases that stay on the hosts. */
  keep: number;
  say: (line: string) => void;
  cancelled: AbortSignal;
  /** Told the lease's token, so that it can be freed even if this process is killed. */
  leaseTaken?: (token: number) => void;
}

export interface Outcome {
  status: 'deployed' | 'unchanged' | 'rolled-back' | 'failed';
  release: string;
  version: string;
  previousVersion: string;
  rows: Row[];
  started: number;
  ended: number;
  /** Why it was rolled back or failed. */
  problem?: string;
  evidence?: Evidence;
}

/** What would change, host by host; nothing is locked, pulled or written. */
export async function preview(
  hosts: readonly Host[],
  wanted: Wanted,
): Promise<{ release: string; plans: { host: string; plan: HostPlan }[] }> {
  const currents = await Promise.all(hosts.map(store.currentRelease));
  const { manifest } = buildRelease(wanted, newestOf(currents));
  const plans = await Promise.all(
    hosts.map(async (host, index) => ({
      host: host.name,
      plan: planHost(await host.state(), manifest, currents[index]),
    })),
  );
  return { release: manifest.release, plans };
}

/** Deploys: merges onto the current release, pulls, rolls, asks the public address, records. */
export async function deploy(
  hosts: readonly Host[],
  wanted: Wanted,
  how: Circumstances,
): Promise<Outcome> {
  const { largestMemory } = wanted.compose;
  await Promise.all(hosts.map((host) => preflight(host, largestMemory)));
  const images = Object.values(wanted.images).concat(wanted.variables.CADDY_IMAGE ?? []);
  how.say(`Pulling ${images.length} images on ${hosts.length} hosts`);
  await Promise.all(hosts.map((host) => pull(host, images)));
  return underLease(hosts, how, async (lease) => {
    const currents = await Promise.all(hosts.map(store.currentRelease));
    const release = buildRelease(wanted, newestOf(currents));
    await Promise.all(
      hosts.map(async (host) => {
        await store.prepareFolders(host, release.manifest.order);
        await store.writeRelease(host, release);
        await store.keepAssets(host, release.manifest);
      }),
    );
    return bring(hosts, release.manifest, 'deploy', how, lease);
  });
}

/** Brings a kept release back. The same code as a deploy, with another manifest. */
export async function rollback(
  hosts: readonly Host[],
  wantedVersion: string | undefined,
  how: Circumstances,
): Promise<Outcome> {
  return underLease(hosts, how, async (lease) => {
    const target = await rollbackTarget(hosts, wantedVersion);
    how.say(`Rolling back to ${target.release}`);
    const images = Object.values(target.services).map((service) => service.image);
    await Promise.all(hosts.map((host) => pull(host, images)));
    return bring(hosts, target, 'rollback', how, lease);
  });
}

async function underLease(
  hosts: readonly Host[],
  how: Circumstances,
  body: (lease: Lease) => Promise<Outcome>,
): Promise<Outcome> {
  const lease = await Lease.take(hosts, {
    owner: how.by,
    run: how.run,
    waitMs: how.lockTimeout,
    say: how.say,
    cancelled: how.cancelled,
    ...(how.leaseTaken && { taken: how.leaseTaken }),
  });
  try {
    return await body(lease);
  } finally {
    await lease.free();
  }
}

async function bring(
  hosts: readonly Host[],
  target: Manifest,
  action: 'deploy' | 'rollback',
  how: Circumstances,
  lease: Lease,
): Promise<Outcome> {
  const started = Date.now();
  const rows: Row[] = [];
  const stop = AbortSignal.any([how.cancelled, lease.lost]);
  const options: RollOptions = { ...how, stop };
  const targets: HostTarget[] = await Promise.all(
    hosts.map(async (host) => ({ host, target, current: await store.currentRelease(host) })),
  );
  const previous = newestOf(targets.map((each) => each.current));
  const finish = (rest: Pick<Outcome, 'status' | 'problem' | 'evidence'>): Outcome => ({
    release: target.release,
    version: target.version,
    previousVersion: previous?.version ?? '',
    rows,
    started,
    ended: Date.now(),
    ...rest,
  });
  await tellLeftovers(targets, how.say);
  try {
    const nothing = await isAlreadyThere(targets);
    if (!nothing) {
      // On every host before the first change on one: a rollback then knows what to undo.
      await Promise.all(hosts.map((host) => journal(host, target.release, 'begin')));
      await rollHosts(targets, rows, options);
    }
    if (how.baseUrl !== undefined) {
      how.say(`Asking ${how.baseUrl} for ${target.version}`);
      await passGate(how.baseUrl, target, 2 * hosts.length, 30_000);
    }
    await recordAll(targets, action, how, started, nothing);
    return finish({ status: nothing ? 'unchanged' : 'deployed' });
  } catch (error) {
    // Cancelled, or no longer ours: what is there is whole, and the next run takes it up.
    if (stop.aborted || error instanceof LeaseLostError) throw error;
    const problem = messageOf(error);
    how.say(problem);
    const evidence = error instanceof ReleaseFailure ? error.evidence : undefined;
    const reason = { problem, ...(evidence && { evidence }) };
    const back = targets.filter((each) => each.current !== undefined);
    if (!how.rollbackOnFailure || back.length < targets.length) {
      return finish({ status: 'failed', ...reason });
    }
    const stuck = await goBack(back, rows, options, how);
    if (stuck.length === 0) return finish({ status: 'rolled-back', ...reason });
    const both = `${problem}\nThe rollback failed too: ${stuck.join('\n')}`;
    return finish({ status: 'failed', ...reason, problem: both });
  }
}

/**
 * Everything that was swapped goes back, last host first: the plan finds out what that is.
 * A host that cannot go back does not keep the others from it.
 * @returns what went wrong.
 */
async function goBack(
  targets: readonly HostTarget[],
  rows: Row[],
  options: RollOptions,
  how: Circumstances,
): Promise<string[]> {
  const started = Date.now();
  const problems: string[] = [];
  how.say('Rolling back everything that was swapped');
  for (const { host, current } of [...targets].reverse()) {
    const back = { host, target: current as Manifest, current };
    const done: Row[] = [];
    try {
      await rollHosts([back], done, options, 'rolled-back');
      await recordAll([back], 'automatic-rollback', how, started, false);
    } catch (error) {
      problems.push(messageOf(error));
    }
    rows.push(...done.filter((row) => row.outcome !== 'unchanged'));
  }
  return problems;
}

async function recordAll(
  targets: readonly HostTarget[],
  action: store.HistoryEntry['action'],
  how: Circumstances,
  started: number,
  nothing: boolean,
): Promise<void> {
  await Promise.all(
    targets.map(async ({ host, target, current }) => {
      if (nothing && current?.release === target.release) return store.closeJournal(host);
      await store.record(host, target.release, {
        at: new Date().toISOString(),
        action,
        release: target.release,
        version: target.version,
        previous: current?.release ?? '',
        by: how.by,
        run: how.run,
        ...(how.reason === undefined ? {} : { reason: how.reason }),
        seconds: Math.round((Date.now() - started) / 1000),
      });
      const history = await store.readHistory(host);
      const before = store.releaseBefore(history, target.release) ?? [];
      const keep = store.releasesToKeep(history, how.keep).concat(before, target.release);
      await store.prune(host, keep);
    }),
  );
}

async function isAlreadyThere(targets: readonly HostTarget[]): Promise<boolean> {
  const plans = await Promise.all(
    targets.map(async ({ host, target, current }) => planHost(await host.state(), target, current)),
  );
  return plans.every(isEmpty);
}

async function tellLeftovers(
  targets: readonly HostTarget[],
  say: (line: string) => void,
): Promise<void> {
  for (const { host } of targets) {
    const release = await store.unfinished(host);
    if (release !== undefined) {
      say(
        `${host.name}  an earlier run ended in the middle of ${release}; it is taken up from there`,
      );
    }
  }
}

/**
 * Which kept release a rollback means.
 * @throws Error listing what there is when it is not there.
 */
async function rollbackTarget(
  hosts: readonly Host[],
  wanted: string | undefined,
): Promise<Manifest> {
  const first = hosts[0];
  if (first === undefined) throw new Error('There is no host to roll back.');
  const current = newestOf(await Promise.all(hosts.map(store.currentRelease)));
  if (current === undefined) throw new Error('Nothing was ever released here.');
  const history = await store.readHistory(first);
  // A run that ended in the middle has not changed `current`: that is what to go back to.
  const interrupted = (await Promise.all(hosts.map(store.unfinished))).some(Boolean);
  const name =
    wanted === undefined
      ? interrupted
        ? current.release
        : store.releaseBefore(history, current.release)
      : history.findLast((entry) => entry.release === wanted || entry.version === wanted)?.release;
  const known = [...new Set(history.map((entry) => entry.version))].join(', ');
  if (name === undefined) {
    throw new Error(
      wanted === undefined
        ? `There is no release before ${current.release}.`
        : `${wanted} was never released here. Known versions: ${known}.`,
    );
  }
  for (const host of hosts) {
    if ((await store.keptRelease(host, name)) === undefined) {
      throw new Error(
        `${host.name} has no files of ${name} any more: it was pruned. Deploy that version again. ` +
          `Known versions: ${known}.`,
      );
    }
  }
  return (await store.keptRelease(first, name)) as Manifest;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
