import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { services } from '../../lib/release/test/fixture/environment.ts';
import { atLeast, atMost, type Figures, type Measurement } from '../measurement.ts';
import type { Scenario } from '../scenarios/scenario.ts';
import { comparePeers } from './peers.ts';
import { carryOut, type Production, type Ran, startProduction } from './servers.ts';
import {
  entriesIn,
  fewestInFlight,
  PLACES,
  SETTLING,
  startClient,
  type Traffic,
} from './traffic.ts';

/** Deploys, each followed by a rollback; fewer for a shorter run. */
const ROUNDS = Number(process.env.BENCH_LOAD_ROUNDS ?? '20');
const LEAST_REQUESTS = 500_000 / 2;
const LEAST_IN_FLIGHT = 200;
/** Milliseconds between a stream's end and its first message after that, on a busy machine. */
const LONGEST_GAP = 5_000;
/** The four steps of a swap. */
const SWAPPING = /^(start|wait until healthy|prove|take out of rotation)\b/;

export const onTwoServers: Scenario = {
  shows: 'deploys and rollbacks in a row on two servers lose no request',
  run: (_instance, print) => backAndForthOn(2, print),
};

export const onOneServer: Scenario = {
  shows:
    'deploys and rollbacks in a row on one server lose no request; others do, under the same load',
  async run(_instance, print) {
    const figures = await backAndForthOn(1, print);
    const others = await comparePeers({ releases: Math.min(ROUNDS, 5) }, print);
    const beside = Object.fromEntries(
      Object.entries(others).map(([name, { failed, requests }]) => [
        name,
        `${failed} of ${requests}`,
      ]),
    );
    return { ...figures, failed: { ...(figures.failed as Measurement), beside }, others };
  },
};

async function backAndForthOn(count: number, print: (line: string) => void): Promise<Figures> {
  print(`  ${count} servers: starting them and releasing for the first time …`);
  const servers = await startProduction(count);
  try {
    return await backAndForth(servers, print);
  } finally {
    await servers.close();
  }
}

async function backAndForth(servers: Production, print: (line: string) => void): Promise<Figures> {
  const client = startClient(servers.site, PLACES);
  const runs: (Ran & { what: string })[] = [];
  let traffic: Traffic;
  try {
    // Every connection is made before the first swap, so that the requests under way are all there.
    await sleep(SETTLING);
    for (let round = 1; round <= ROUNDS; round++) {
      for (const what of ['deploy', 'rollback']) {
        const wish = what === 'deploy' ? { version: `1.0.${round}` } : {};
        const ran = await carryOut(servers, wish);
        assert.equal(ran.status, 'deployed', `${what} ${round}: ${ran.problem}`);
        runs.push({ ...ran, what });
      }
      const seconds = runs
        .slice(-2)
        .map(({ what, took }) => `${what} ${Math.round(took / 1000)} s`);
      print(`  ${servers.count} servers, round ${round} of ${ROUNDS}: ${seconds.join(', ')}`);
    }
  } finally {
    traffic = await client.stop();
    print(`  ${traffic.failed.length} of ${traffic.sent} requests failed`);
    for (const line of traffic.failed.slice(0, 5)) print(`    ${line}`);
  }
  const steps = runs.flatMap(({ moments }) =>
    moments.filter(({ kind, what }) => kind === 'end' && SWAPPING.test(what)),
  );
  // Whatever is released, every service is swapped on every server.
  const swaps = runs.length * servers.count * services.length;
  assert.equal(steps.length, 4 * swaps, 'the event logs have each swap');
  const fewest = Math.min(
    ...steps.map(({ at, took = 0 }) => fewestInFlight(traffic, at - took, at)),
  );
  print(`  never fewer than ${fewest} requests under way in ${swaps} swaps`);
  const { sent, failed, sentByKind, streams } = traffic;
  const mean = (what: string): number => {
    const took = runs.filter((run) => run.what === what).map((run) => run.took / 1000);
    return took.reduce((sum, each) => sum + each, 0) / took.length;
  };
  const { posts, lost, doubled } = entriesIn(traffic, servers.ledger);
  return {
    deploysAndRollbacks: atLeast(2 * 20, runs.length, 'in a row'),
    requests: atLeast(LEAST_REQUESTS, sent, 'requests'),
    failed: atMost(0, failed.length, 'requests and streams'),
    firstFailures: failed.slice(0, 5),
    sentByKind,
    entries: {
      posted: posts,
      lost: atMost(0, lost, 'entries'),
      doubled: atMost(0, doubled, 'entries'),
    },
    streams: Object.fromEntries(
      Object.entries(streams).map(([kind, { opened, closed, longestGap }]) => [
        kind,
        {
          opened,
          closed: atLeast(1, closed, 'closed politely'),
          longestGap: atMost(LONGEST_GAP, longestGap, 'ms until the next message'),
        },
      ]),
    ),
    fewestInFlightInAnySwap: atLeast(LEAST_IN_FLIGHT, fewest, 'requests'),
    secondsOfADeploy: mean('deploy'),
    secondsOfARollback: mean('rollback'),
  };
}
