import { HostUnreachableError } from '../ssh/errors.ts';
import type { Circumstances } from './bring.ts';
import { problemOf } from './evidence.ts';
import { type Host, LeaseLostError } from './host.ts';
import { caddy, lockFile } from './layout.ts';
import type { Manifest } from './manifest.ts';
import { note } from './progress.ts';
import { recordAll, type When } from './record.ts';
import {
  canLeave,
  type HostTarget,
  isAlreadyThere,
  type RollOptions,
  type Row,
  rollHosts,
} from './roll.ts';
import { serves } from './slots.ts';
import * as store from './store.ts';
import { reopen } from './traffic.ts';
import { until, WaitedTooLong } from './waiting.ts';

/** Seconds that a command of a release may go on without its connection: the end of a slot is the longest. */
const longestCommand = 60;

/** Milliseconds in all that nobody may answer: a bastion that restarts, not one that is gone. */
const longestSilence = 60_000;

/**
 * Everything that was swapped goes back: the plan finds out what that is. First who is out of
 * rotation, then the last host first; one that cannot go back does not keep the others from it.
 * @returns the hosts that did not, and why.
 * @throws LeaseLostError, and the reason of `options.stop` when that ends it.
 */
export async function goBack(
  targets: readonly HostTarget[],
  previous: Manifest,
  rows: Row[],
  options: RollOptions,
  how: Circumstances,
  at: string,
): Promise<string[]> {
  const when: When = { begun: Date.now(), at };
  const deadline = Date.now() + longestSilence;
  const stuck: string[] = [];
  note(how.tell, '', 'Rolling back everything that was swapped');
  // The connection may be what failed, and every server serves.
  await someoneAnswers(options, deadline);
  for (const target of await inOrderOfReturn(targets, previous)) {
    let done: Row[] = [];
    const turn = () => {
      done = [];
      return goBackOn(target, previous, done, options, how, when);
    };
    try {
      await turn().catch(async (error: unknown) => {
        const silent = error instanceof HostUnreachableError;
        if (!silent || !(await someoneAnswers(options, deadline))) throw error;
        await turn();
      });
    } catch (error) {
      options.stop.throwIfAborted();
      if (error instanceof LeaseLostError) throw error;
      stuck.push(`${target.host.name}: ${problemOf(error)}`);
    }
    rows.push(...done.filter((row) => row.outcome !== 'unchanged'));
  }
  return stuck;
}

async function goBackOn(
  { host, current, target, undoes = target.release }: HostTarget,
  previous: Manifest,
  done: Row[],
  options: RollOptions,
  how: Circumstances,
  when: When,
): Promise<void> {
  // A command whose connection was cut goes on there, under the lock of all changes. What it is at after
  // that, the plan can do without.
  const isFree = async (seconds: number): Promise<boolean> => {
    const words = ['flock', '-w', String(seconds), lockFile, 'true'];
    const timeoutMs = 2 * longestCommand * 1000;
    return (await host.read(words, { allowFailure: true, timeoutMs })).code === 0;
  };
  // A heartbeat has it for a moment.
  if (!(await isFree(1))) {
    const what = `up to ${longestCommand} s for what a command that was cut off is still doing`;
    note(how.tell, host.name, what);
    await isFree(longestCommand);
  }
  await store.dropBallast(host);
  await reopen(host);
  if (current?.release === previous.release) {
    if (target.release === previous.release) return closeIfWhole({ host, current, target });
    const back = { host, target: current, current, undoes };
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
}

/** What was current already is nothing to go back to: where it is whole, nothing was begun. */
async function closeIfWhole(target: HostTarget): Promise<void> {
  if (await isAlreadyThere([target])) await store.closeJournal(target.host);
}

/**
 * Waits while nobody answers, as when the bastion restarts; who is silent while others answer is down.
 * @returns whether somebody does.
 */
async function someoneAnswers(
  { servers, stop, tell }: RollOptions,
  deadline: number,
): Promise<boolean> {
  const answer = async (host: Host): Promise<void> => {
    await host.read(['true']).catch((error: unknown) => {
      if (error instanceof HostUnreachableError) throw error;
    });
  };
  const left = Math.max(0, deadline - Date.now());
  let told = false;
  return until('a server to answer', left, async () => {
    stop.throwIfAborted();
    const answered = await Promise.any(servers.map(answer)).then(
      () => true,
      () => false,
    );
    if (!answered && !told) {
      note(tell, '', `No server answers: asked for up to ${Math.ceil(left / 1000)} s`);
      told = true;
    }
    return answered;
  }).then(
    () => true,
    (error: unknown) => {
      if (error instanceof WaitedTooLong) return false;
      throw error;
    },
  );
}

/**
 * Who is out of rotation comes before who serves; then who has nothing to go back to, and who does not
 * answer, for whom the others do not wait.
 */
async function inOrderOfReturn(
  targets: readonly HostTarget[],
  previous: Manifest,
): Promise<HostTarget[]> {
  const ranked = await Promise.all(
    [...targets].reverse().map(async (target) => {
      const { host, current } = target;
      const state = await host.state().catch(() => undefined);
      if (state === undefined) return { target, rank: 3 };
      if (current?.release !== previous.release) return { target, rank: 2 };
      return { target, rank: Number(serves(state)) };
    }),
  );
  return ranked.sort((x, y) => x.rank - y.rank).map(({ target }) => target);
}
