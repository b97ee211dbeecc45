import assert from 'node:assert/strict';
import { paths } from '../../lib/release/test/fixture/environment.ts';
import { startLoad } from '../../lib/release/test/fixture/load.ts';
import { atMost, type Figures } from '../measurement.ts';
import type { Scenario } from '../scenarios/scenario.ts';
import { carryOut, type Servers, startServers } from './servers.ts';

/** What is done to a run at a moment of its event log. */
const CUTS: Record<string, ((servers: Servers) => Promise<void>) | undefined> = {
  // The process ends itself with SIGKILL: nothing can come between the moment and its end.
  'runner killed': undefined,
  'connection cut': async ({ test }) => test.drop(),
  'engine restarted': async ({ test }) => test.hosts[0]?.restartEngine(),
};

/** Of each kind of cut only every nth moment, for a shorter run; 1 is all of them. */
const EVERY = Number(process.env.BENCH_KILLS_EVERY ?? '1');

const SERVICE = 'auth-service';

export const releaseKills: Scenario = {
  shows: 'a release cut off before and after every step of its event log; no request fails',
  async run(_instance, print) {
    const servers = await startServers(2);
    const load = { requests: 0, failed: [] as string[] };
    try {
      let version = 0;
      const next = (): string => `1.0.${version++}`;
      await carryOut(servers, { version: next() });
      const whole = await carryOut(servers, { version: next(), only: [SERVICE] });
      assert.equal(whole.status, 'deployed', whole.problem);
      const steps = [
        ...new Set(whole.moments.filter(({ kind }) => kind !== 'note').map(({ name }) => name)),
      ];
      const covered: Record<string, Set<string>> = {};
      for (const [how, cut] of Object.entries(CUTS)) {
        const done = new Set<string>();
        covered[how] = done;
        for (const step of steps.filter((_, index) => index % EVERY === 0)) {
          const client = startLoad(servers.public, paths, { connections: 16, pause: 10 });
          await cutOff(servers, next(), step, cut, done);
          const after = await carryOut(servers, { version: next(), only: [SERVICE] });
          const { sent, failed } = await client.stop();
          load.requests += sent;
          load.failed.push(...failed.map((line) => `${how} at “${step}”: ${line}`));
          assert.equal(after.status, 'deployed', `${how} at “${step}”: ${after.problem}`);
          print(
            `  ${how} at “${step}”: the next deploy finished, ${sent} requests, ${failed.length} failed`,
          );
        }
      }
      const expected = Math.ceil(steps.length / EVERY);
      for (const [how, done] of Object.entries(covered)) {
        assert.equal(done.size, expected, `${how}: some of ${expected} moments were never reached`);
      }
      const cuts = Object.entries(covered).map(([how, done]): [string, number] => [how, done.size]);
      const figures: Figures = {
        momentsOfTheEventLog: steps.length,
        cuts: Object.fromEntries(cuts),
        requests: load.requests,
        failed: atMost(0, load.failed.length, 'requests'),
        firstFailures: load.failed.slice(0, 5),
      };
      return figures;
    } finally {
      await servers.close();
    }
  },
};

/** Begins a deploy and cuts it off; what it ends with, if it does, is one of the two whole states. */
async function cutOff(
  servers: Servers,
  version: string,
  step: string,
  cut: ((servers: Servers) => Promise<void>) | undefined,
  done: Set<string>,
): Promise<void> {
  let cutting: Promise<void> | undefined;
  const seen = (name: string): void => {
    if (name !== step || done.has(step)) return;
    done.add(step);
    cutting = cut?.(servers);
  };
  const wish = { version, only: [SERVICE], seen };
  const ran = await carryOut(servers, cut === undefined ? { ...wish, killAt: step } : wish);
  await cutting;
  if (cut === undefined) assert.equal(ran.status, undefined, `it was not killed at “${step}”`);
}
