import type { Login } from '../registry/login.ts';
import { type Evidence, problemOf, ReleaseFailure } from './evidence.ts';
import { passGate } from './gate.ts';
import { type Host, LeaseLostError } from './host.ts';
import { Lease } from './lease.ts';
import { followMaintenance, inMaintenance } from './maintenance.ts';
import type { Manifest } from './manifest.ts';
import { previewRelease, tellPreview, wouldChange } from './preview.ts';
import { note, step, type Tell } from './progress.ts';
import { recordAll, type When } from './record.ts';
import { type HostTarget, journal, type RollOptions, type Row, rollHosts } from './roll.ts';
import { begunOn, leaderOf, momentAfter, type Standing } from './standing.ts';
import * as store from './store.ts';
import type { Release } from './target.ts';
import { reopen } from './traffic.ts';
import { goBack } from './undo.ts';

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
  /** See `taken` of `LeaseOptions`. */
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
  /** Whether users are shown the maintenance page, so that the public address says nothing of the release. */
  maintenance?: boolean;
  /** Why it was rolled back or failed. */
  problem?: string;
  evidence?: Evidence;
}

export interface Work {
  release: Release;
  /** What it is for the history. */
  action: Exclude<store.HistoryEntry['action'], 'automatic-rollback'>;
  /** Of a rollback to what is not current; see {@link HostTarget}. */
  undoes?: string | undefined;
  /** The last part that is done, as a phase of its own does the others; all of them when left out. */
  last?: 'swap';
}

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
 * Brings every host to a release whose files lie there: tells what changes, swaps, asks the public address,
 * records. What fails is rolled back.
 */
export async function bring(
  standings: readonly Standing[],
  { release, action, undoes, last }: Work,
  how: Circumstances,
  lease: Lease,
): Promise<Outcome> {
  const target = release.manifest;
  const started = Date.now();
  const rows: Row[] = [];
  const what = `${action} ${target.release}`;
  const stop = AbortSignal.any([how.cancelled, lease.lost]);
  const servers = standings.map(({ host }) => host);
  const options: RollOptions = { ...how, stop, servers };
  const previous = leaderOf(standings)?.current;
  // Whoever brings back what is current takes back what a killed run had begun.
  const begun = target.release === previous?.release ? await begunOn(standings) : [];
  const left = begun.find((other) => other !== target.release);
  const targets = standings.map(
    ({ host, current }): HostTarget => ({ host, target, current, undoes: undoes ?? left }),
  );
  const known = standings.flatMap(({ history }) => history.map(({ at }) => at));
  const now = (): When => {
    const at = momentAfter(known);
    known.push(at);
    return { begun: started, at };
  };
  const finish = (
    rest: Pick<Outcome, 'status' | 'maintenance' | 'problem' | 'evidence'>,
  ): Outcome => ({
    release: target.release,
    version: target.version,
    previousVersion: previous?.version ?? '',
    rows,
    started,
    ended: Date.now(),
    ...rest,
  });
  await Promise.all(targets.map(({ host }) => takeUp(host, how.tell)));
  try {
    const found = await previewRelease(standings, release);
    const nothing = !wouldChange(found);
    if (!nothing) {
      tellPreview(found, how.tell);
      await followMaintenance(targets);
      // On every host before the first change on one: a rollback then knows what to undo.
      await step(how.tell, '', 'open the journals', () =>
        Promise.all(
          targets.map(async (at) => {
            const { host } = at;
            await store.holdBallast(host);
            await journal(at, 'begin');
            // Whatever becomes of it: a run that is killed says nothing at its end.
            await store.audit(host, how.by, `begin ${what}`, how.run, how.reason);
          }),
        ),
      );
      await rollHosts(targets, rows, options);
    }
    let maintenance = false;
    if (last !== 'swap') {
      maintenance = await askPublicly(targets, target, how);
      await recordAll(targets, previous, action, how, now(), nothing);
    }
    // What a killed run swapped and this one has recorded is its own, to be taken back if it is not proven.
    const isNew = standings.some(({ current }) => current?.release !== target.release);
    const recorded = last !== 'swap' && isNew;
    return finish({ status: nothing && !recorded ? 'unchanged' : 'deployed', maintenance });
  } catch (error) {
    // Cancelled, or no longer ours: what is there is whole, and the next run takes it up.
    lease.lost.throwIfAborted();
    if (how.cancelled.aborted || error instanceof LeaseLostError) throw error;
    const problem = problemOf(error);
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
    if (stuck.length > 0) {
      return failed(`${problem}\nThe rollback failed too, on ${stuck.join('\n')}`);
    }
    // There is nothing before what was current already.
    if (previous.release === target.release) return failed(problem);
    return finish({ status: 'rolled-back', ...reason });
  }
}

/**
 * Asks for the version by users' own way in, unless they are shown the maintenance page.
 * @returns whether they are.
 */
export async function askPublicly(
  targets: readonly { host: Host }[],
  target: Manifest,
  { baseUrl, tell }: Circumstances,
): Promise<boolean> {
  const shown = await Promise.all(targets.map(({ host }) => inMaintenance(host)));
  const maintenance = shown.some(Boolean);
  if (maintenance) {
    note(tell, '', 'The maintenance page is on: the public address is not asked for the version');
  } else if (baseUrl !== undefined) {
    await step(tell, '', `ask ${baseUrl} for ${target.version}`, () =>
      passGate(baseUrl, target, 2 * targets.length, 30_000),
    );
  }
  return maintenance;
}

/** Tells of a run that ended in the middle, and undoes what the plan cannot see. */
async function takeUp(host: Host, tell: Tell): Promise<void> {
  const journal = await store.begun(host);
  if (journal === undefined) return;
  const what = `an earlier run ended in the middle of ${journal.release}; it is taken up from there`;
  note(tell, host.name, what);
  await reopen(host);
}
