import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TINY, writeTiny } from '../../action-terraform/test/tiny.ts';
import { type Result, startWorld, type World } from '../../action-terraform/test/world.ts';
import { RUNNER_MARK } from '../../local-cloud/leftovers.ts';
import { atMost } from '../measurement.ts';
import { switchOff } from '../processes.ts';
import type { Scenario } from '../scenarios/scenario.ts';

const INTERRUPTIONS = 20;
const KILLS = 10;
/** Long enough that a moment falls into each phase of a server's life. */
const BOOT_MS = 600;

/** Of requests an hour: it is not what this is about, and thirty rounds would meet Hetzner's. */
const RATE_LIMIT = 100_000;

/**
 * Each round replaces three servers by three others, and is cut off at another moment of its
 * apply. The round after it has to get over what was left.
 */
export const terraformKills: Scenario = {
  shows: `an apply interrupted ${INTERRUPTIONS} times leaves no lock; killed ${KILLS} times, the next one heals`,
  async run(_, print) {
    const world = await startWorld({ bootTime: BOOT_MS, rateLimit: RATE_LIMIT });
    try {
      writeTiny(world.folder);
      const rounds = roundsIn(world);
      await rounds.whole();
      const whole = await rounds.whole();
      print(`an apply that nobody disturbs: ${JSON.stringify(whole)}`);
      const cutAt = async (moments: Moment[], signal: 'SIGINT' | 'SIGKILL') => {
        const all: Round[] = [];
        for (const moment of moments) {
          all.push(await rounds.cut(moment, signal));
          print(JSON.stringify(all.at(-1)));
        }
        return all;
      };
      const interrupted = await cutAt(spread(whole, INTERRUPTIONS), 'SIGINT');
      const killed = await cutAt(spread(whole, KILLS), 'SIGKILL');
      return {
        undisturbed: { ...whole },
        interruptions: interrupted.length,
        cutShort: count(interrupted, ({ cut }) => cut),
        lockedAfterwards: atMost(
          0,
          count(interrupted, ({ locked }) => locked),
          'applies',
        ),
        kills: killed.length,
        locksLeft: count(killed, ({ locked }) => locked),
        locksFreed: count(killed, ({ freed }) => freed),
        adopted: killed.reduce((sum, { adopted }) => sum + adopted, 0),
        rounds: [...interrupted, ...killed].map((round) => ({ ...round })),
      };
    } finally {
      await world.stop();
    }
  },
};

/** How long an apply takes until it holds the state's lock, and from then on. */
interface Course {
  untilLockMs: number;
  lockedMs: number;
}

/** When to cut: counted from the begin of the step, or from when it holds the lock. */
interface Moment {
  after: 'begin' | 'lock';
  ms: number;
}

/** A fifth of the moments before the lock is taken, the others spread over the time with it. */
function spread({ untilLockMs, lockedMs }: Course, moments: number): Moment[] {
  const early = Math.floor(moments / 5);
  const within = (whole: number, parts: number, after: Moment['after']): Moment[] =>
    Array.from({ length: parts }, (_, part) => ({
      after,
      ms: Math.round((whole * (part + 0.5)) / parts),
    }));
  return [...within(untilLockMs, early, 'begin'), ...within(lockedMs, moments - early, 'lock')];
}

function count<T>(rounds: readonly T[], is: (round: T) => boolean): number {
  return rounds.filter(is).length;
}

interface Round {
  signal: string;
  at: string;
  /** Whether the apply had not ended by then. */
  cut: boolean;
  /** Whether the state was locked afterwards. */
  locked: boolean;
  /** Whether the next run freed it. */
  freed: boolean;
  /** How many servers the next plan found in the API and not in the state. */
  adopted: number;
}

function roundsIn(world: World) {
  const bucket = join(world.folder, 's3', world.bucket.bucket, 'tiny');
  const lock = join(bucket, 'terraform.tfstate.tflock');
  let run = 0;
  let generation = 0;

  const wanted = () => ['a', 'b', 'c'].map((letter) => `server-${generation}-${letter}`);
  const inputs = () => ({
    'working-directory': TINY,
    'allow-destroy': '*',
    variables: JSON.stringify({ servers: wanted() }),
  });
  const state = () =>
    JSON.parse(readFileSync(join(bucket, 'terraform.tfstate'), 'utf8')) as {
      lineage: string;
      serial: number;
    };

  async function planned(): Promise<Result> {
    run += 1;
    const result = await world.step('plan', inputs(), { run });
    assert.doesNotMatch(result.stdout, /::error/);
    return result;
  }

  async function applied(): Promise<Course> {
    const begun = Date.now();
    const step = world.start('apply', inputs(), { run });
    await lockedOrEnded(step.result);
    const taken = Date.now();
    assert.doesNotMatch((await step.result).stdout, /::error/);
    return { untilLockMs: taken - begun, lockedMs: Date.now() - taken };
  }

  async function lockedOrEnded(result: Promise<unknown>): Promise<void> {
    let ended = false;
    void result.then(() => {
      ended = true;
    });
    while (!ended && !existsSync(lock)) await sleep(5);
  }

  /** The world is what was asked for, no more and no less, and the state knows it. */
  async function asWanted(): Promise<void> {
    const { servers } = (await world.hetzner('/servers')) as { servers: { name: string }[] };
    assert.deepEqual(servers.map(({ name }) => name).sort(), wanted());
    assert.equal((await planned()).outputs.changes, 'false');
  }

  async function whole(): Promise<Course> {
    generation += 1;
    await planned();
    const took = await applied();
    await asWanted();
    return took;
  }

  async function cut(moment: Moment, signal: 'SIGINT' | 'SIGKILL'): Promise<Round> {
    generation += 1;
    await planned();
    const before = state();
    const mark = `round-${generation}`;
    const at = `${moment.ms} ms after its ${moment.after}`;
    const step = world.start('apply', inputs(), { run, env: { [RUNNER_MARK]: mark } });
    const ended = step.result.then(() => true);
    if (moment.after === 'lock') await lockedOrEnded(step.result);
    const early = await Promise.race([ended, sleep(moment.ms).then(() => false)]);
    if (signal === 'SIGINT') step.child.kill('SIGINT');
    else await switchOff(step.child.pid as number, mark);
    await step.result;
    const locked = existsSync(lock);
    if (signal === 'SIGINT') assert.equal(locked, false, `locked by an apply cut off ${at}`);
    await settled();

    const after = state();
    assert.equal(after.lineage, before.lineage);
    assert.ok(after.serial >= before.serial, 'the state did not go back');
    const next = await planned();
    assert.equal(existsSync(lock), false);
    await applied();
    await asWanted();
    return {
      signal,
      at,
      cut: !early,
      locked,
      freed: next.stdout.includes('Freed the state lock'),
      adopted: next.stdout.match(/exists already/g)?.length ?? 0,
    };
  }

  /** What was asked of Hetzner goes on there, whoever asked. */
  async function settled(): Promise<void> {
    for (let attempt = 0; attempt < 200; attempt += 1) {
      const { actions } = (await world.hetzner('/actions?status=running')) as { actions: [] };
      if (actions.length === 0) return;
      await sleep(50);
    }
    throw new Error('The actions do not end.');
  }

  return { whole, cut };
}
