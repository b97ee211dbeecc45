import type { Login } from '../registry/login.ts';
import { releasesToKeep } from './earlier.ts';
import { type Evidence, ReleaseFailure } from './evidence.ts';
import { passGate } from './gate.ts';
import { type Host, LeaseLostError } from './host.ts';
import { caddy } from './layout.ts';
import { Lease } from './lease.ts';
import { followMaintenance, inMaintenance } from './maintenance.ts';
import type { Manifest } from './manifest.ts';
import { isEmpty, planHost } from './plan.ts';
import { note, step, type Tell } from './progress.ts';
import {
  canLeave,
  type HostTarget,
  isServing,
  journal,
  type RollOptions,
  type Row,
  rollHosts,
} from './roll.ts';
import { leaderOf, momentAfter, type Standing } from './standing.ts';
import * as store from './store.ts';

/** Who does it and how; the same for a deploy, a rollback and the rest. */
export interface Circumstances extends Omit<RollOptions, 'stop' | 'servers'> {
  by: string;
  run: string;
  reason?: string;
  /** Token of the lease that is held around this process; see `identity`. */
  within?: number | undefined;
  lockTimeout: number;
  /** Seconds that the lease outlives a silence; see `LeaseOptions`. */
  leaseLifetime?: number;
  rollbackOnFailure: boolean;
  /** Public address to ask at the end; without it only the hosts are asked. */
  baseUrl?: string;
  /** Releases that stay on the hosts. */
  keep: number;
  /** For pulling; without it the hosts' own login is used. */
  login?: Login;
  tell: Tell;
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

/** What a release is for the history. */
export type Action = Exclude<store.HistoryEntry['action'], 'automatic-rollback'>;

/** Takes the environment, does something with it, and gives it back. */
export async function underLease<T>(
  hosts: readonly Host[],
  how: Circumstances,
  body: (lease: Lease) => Promise<T>,
): Promise<T> {
  const lease = await step(how.tell, '', 'take the lease', () =>
    Lease.take(hosts, {
      owner: how.by,
      run: how.run,
      reason: how.reason,
      within: how.within,
      waitMs: how.lockTimeout,
      say: (line) => note(how.tell, '', line),
      cancelled: how.cancelled,
      ...(how.leaseTaken && { taken: how.leaseTaken }),
      ...(how.leaseLifetime && { lifetime: how.leaseLifetime }),
    }),
  );
  try {
    return await body(lease);
  } finally {
    await step(how.tell, '', 'give the lease back', () => lease.free());
  }
}

/**
 * Brings every host to a release whose files lie there: swaps, asks the public address, records.
 * What fails is rolled back.
 * @param last the last part that is done; a phase of its own does the others.
 */
export async function bring(
  standings: readonly Standing[],
  target: Manifest,
  action: Action,
  how: Circumstances,
  lease: Lease,
  last: 'swap' | 'record' = 'record',
): Promise<Outcome> {
  const started = Date.now();
  const rows: Row[] = [];
  const what = `${action} ${target.release}`;
  const stop = AbortSignal.any([how.cancelled, lease.lost]);
  const servers = standings.map(({ host }) => host);
  const options: RollOptions = { ...how, stop, servers };
  const targets = standings.map(({ host, current }): HostTarget => ({ host, target, current }));
  const previous = leaderOf(standings)?.current;
  const known = standings.flatMap(({ history }) => history.map(({ at }) => at));
  const now = (): When => {
    const at = momentAfter(known);
    known.push(at);
    return { begun: started, at };
  };
  const finish = (rest: Pick<Outcome, 'status' | 'problem' | 'evidence'>): Outcome => ({
    release: target.release,
    version: target.version,
    previousVersion: previous?.version ?? '',
    rows,
    started,
    ended: Date.now(),
    ...rest,
  });
  await tellLeftovers(targets, how.tell);
  try {
    const nothing = await isAlreadyThere(targets);
    if (!nothing) {
      await followMaintenance(targets);
      // On every host before the first change on one: a rollback then knows what to undo.
      await step(how.tell, '', 'open the journals', () =>
        Promise.all(
          targets.map(async ({ host }) => {
            await store.holdBallast(host);
            await journal(host, target.release, 'begin');
            // Whatever becomes of it: a run that is killed says nothing at its end.
            await store.audit(host, how.by, `begin ${what}`, how.run, how.reason);
          }),
        ),
      );
      await rollHosts(targets, rows, options);
    }
    if (last === 'record') {
      await askPublicly(targets, target, how);
      await recordAll(targets, previous, action, how, now(), nothing);
    }
    return finish({ status: nothing ? 'unchanged' : 'deployed' });
  } catch (error) {
    // Cancelled, or no longer ours: what is there is whole, and the next run takes it up.
    lease.lost.throwIfAborted();
    if (how.cancelled.aborted || error instanceof LeaseLostError) throw error;
    const problem = messageOf(error);
    note(how.tell, '', problem);
    const evidence = error instanceof ReleaseFailure ? error.evidence : undefined;
    const reason = { problem, ...(evidence && { evidence }) };
    const failed = async (problem: string): Promise<Outcome> => {
      // As far as the servers can be reached: that may be why.
      await Promise.allSettled(
        servers.map((host) => store.audit(host, how.by, `${what} failed`, how.run, problem)),
      );
      return finish({ status: 'failed', ...reason, problem });
    };
    if (!how.rollbackOnFailure || previous === undefined) return failed(problem);
    const stuck = await goBack(targets, previous, rows, options, how, now().at);
    if (stuck.length === 0) return finish({ status: 'rolled-back', ...reason });
    return failed(`${problem}\nThe rollback failed too, on ${stuck.join('\n')}`);
  }
}

/** Users' own way in, unless they are shown the maintenance page. */
export async function askPublicly(
  targets: readonly { host: Host }[],
  target: Manifest,
  how: Circumstances,
): Promise<void> {
  const { baseUrl, tell } = how;
  if (baseUrl === undefined) return;
  const hidden = await Promise.all(targets.map(({ host }) => inMaintenance(host)));
  if (hidden.some(Boolean)) {
    note(tell, '', 'The maintenance page is on: the public address is not asked for the version');
    return;
  }
  await step(tell, '', `ask ${baseUrl} for ${target.version}`, () =>
    passGate(baseUrl, target, 2 * targets.length, 30_000),
  );
}

/**
 * Everything that was swapped goes back: the plan finds out what that is. First who is out of
 * rotation, then the last host first; one that cannot go back does not keep the others from it.
 * @returns the hosts that did not, and why.
 */
async function goBack(
  targets: readonly HostTarget[],
  previous: Manifest,
  rows: Row[],
  options: RollOptions,
  how: Circumstances,
  at: string,
): Promise<string[]> {
  const when: When = { begun: Date.now(), at };
  const stuck: string[] = [];
  note(how.tell, '', 'Rolling back everything that was swapped');
  for (const { host, current, target } of await inOrderOfReturn(targets, previous)) {
    const done: Row[] = [];
    try {
      await store.dropBallast(host);
      if (current?.release === previous.release) {
        const back = { host, target: current, current };
        await rollHosts([back], done, options, 'rolled-back');
        const why = { ...how, reason: `${target.release} failed` };
        await recordAll([back], previous, 'automatic-rollback', why, when, false);
      } else if (await canLeave(host, options.servers)) {
        // It was behind, or new: what it had before is nothing to go back to.
        await host.change(['touch', caddy.outOfRotation]);
        note(how.tell, host.name, 'stays out of rotation until `compta converge`');
      } else {
        note(how.tell, host.name, 'stays as it is, as no other server serves');
      }
    } catch (error) {
      stuck.push(`${host.name}: ${messageOf(error)}`);
    }
    rows.push(...done.filter((row) => row.outcome !== 'unchanged'));
  }
  return stuck;
}

/** Who is out of rotation comes before who serves, and who has nothing to go back to comes last. */
async function inOrderOfReturn(
  targets: readonly HostTarget[],
  previous: Manifest,
): Promise<HostTarget[]> {
  const ranked = await Promise.all(
    [...targets].reverse().map(async (target) => {
      const returns = target.current?.release === previous.release;
      return { target, rank: returns ? Number(await isServing(target.host)) : 2 };
    }),
  );
  return ranked.sort((x, y) => x.rank - y.rank).map(({ target }) => target);
}

/** When something was begun, in milliseconds, and when it is done, as the history says it. */
export interface When {
  begun: number;
  at: string;
}

/**
 * Makes the target the current release, adds to history and audit log, prunes.
 * @param previous what the environment ran before, which a host that was away did not.
 */
export async function recordAll(
  targets: readonly HostTarget[],
  previous: Manifest | undefined,
  action: store.HistoryEntry['action'],
  how: Circumstances,
  { begun, at }: When,
  nothing: boolean,
): Promise<void> {
  // Each to its end: what one that fails sets off would meet what the others are still doing.
  const ends = await Promise.allSettled(
    targets.map(async ({ host, target, current }) => {
      const same = current?.release === target.release;
      if (same && (nothing || action === 'converge')) return store.closeJournal(host);
      await step(how.tell, host.name, `record ${target.release}`, async () => {
        await store.record(host, target.release, {
          at,
          action,
          release: target.release,
          version: target.version,
          previous: previous?.release ?? '',
          by: how.by,
          run: how.run,
          ...(how.reason === undefined ? {} : { reason: how.reason }),
          seconds: Math.round((Date.now() - begun) / 1000),
        });
      });
      try {
        await step(how.tell, host.name, 'prune what no rollback needs', async () => {
          const [history, kept] = await Promise.all([
            store.readHistory(host),
            store.keptReleases(host),
          ]);
          await store.prune(host, releasesToKeep(history, how.keep, kept, target.release));
        });
      } catch (error) {
        if (error instanceof LeaseLostError) throw error;
        // The release is through; the next one prunes again.
        note(how.tell, host.name, messageOf(error));
      }
    }),
  );
  const failed = ends.find((end) => end.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

export async function isAlreadyThere(targets: readonly HostTarget[]): Promise<boolean> {
  const plans = await Promise.all(
    targets.map(async ({ host, target, current }) => planHost(await host.state(), target, current)),
  );
  return plans.every(isEmpty);
}

async function tellLeftovers(targets: readonly HostTarget[], tell: Tell): Promise<void> {
  const begun = await Promise.all(targets.map(({ host }) => store.unfinished(host)));
  for (const [index, { host }] of targets.entries()) {
    const release = begun[index];
    if (release === undefined) continue;
    note(
      tell,
      host.name,
      `an earlier run ended in the middle of ${release}; it is taken up from there`,
    );
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
