import { HostUnreachableError } from '../ssh/errors.ts';
import type { Circumstances } from './bring.ts';
import { problemOf } from './evidence.ts';
import type { Host } from './host.ts';
import { caddy } from './layout.ts';
import type { Manifest } from './manifest.ts';
import { note } from './progress.ts';
import { recordAll, type When } from './record.ts';
import {
  canLeave,
  type HostTarget,
  isServing,
  type RollOptions,
  type Row,
  rollHosts,
} from './roll.ts';
import * as store from './store.ts';
import { until, WaitedTooLong } from './waiting.ts';

/** Milliseconds in all that nobody may answer: a bastion that restarts, not one that is gone. */
const longestSilence = 60_000;

/**
 * Everything that was swapped goes back: the plan finds out what that is. First who is out of
 * rotation, then the last host first; one that cannot go back does not keep the others from it.
 * @returns the hosts that did not, and why.
 * @throws the reason of `options.stop`, when that ends it.
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
    const done: Row[] = [];
    const turn = () => goBackOn(target, previous, done, options, how, when);
    try {
      await turn().catch(async (error: unknown) => {
        const silent = error instanceof HostUnreachableError;
        if (!silent || !(await someoneAnswers(options, deadline))) throw error;
        await turn();
      });
    } catch (error) {
      options.stop.throwIfAborted();
      stuck.push(`${target.host.name}: ${problemOf(error)}`);
    }
    rows.push(...done.filter((row) => row.outcome !== 'unchanged'));
  }
  return stuck;
}

async function goBackOn(
  { host, current, target }: HostTarget,
  previous: Manifest,
  done: Row[],
  options: RollOptions,
  how: Circumstances,
  when: When,
): Promise<void> {
  await store.dropBallast(host);
  if (current?.release === previous.release) {
    if (target.release === previous.release) return;
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
}

/**
 * Waits while nobody answers, as when the bastion restarts; who is silent while others answer is down.
 * @returns whether somebody does.
 */
async function someoneAnswers({ servers, stop }: RollOptions, deadline: number): Promise<boolean> {
  const answers = (host: Host): Promise<boolean> =>
    host.read(['true']).then(
      () => true,
      (error: unknown) => !(error instanceof HostUnreachableError),
    );
  const left = Math.max(0, deadline - Date.now());
  return until('a server to answer', left, async () => {
    stop.throwIfAborted();
    return (await Promise.all(servers.map(answers))).some(Boolean);
  }).then(
    () => true,
    (error: unknown) => {
      if (error instanceof WaitedTooLong) return false;
      throw error;
    },
  );
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
