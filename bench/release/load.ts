import assert from 'node:assert/strict';
import { paths } from '../../lib/release/test/fixture/environment.ts';
import { atLeast, atMost, type Figures } from '../measurement.ts';
import type { Scenario } from '../scenarios/scenario.ts';
import type { Seen } from './client.ts';
import { comparePeers } from './peers.ts';
import { carryOut, type Ran, type Servers, startServers } from './servers.ts';
import { fewestInFlight, startClient } from './traffic.ts';

/** Deploys, each followed by a rollback; fewer for a shorter run. */
const ROUNDS = Number(process.env.BENCH_LOAD_ROUNDS ?? '20');
const LEAST_REQUESTS = (500_000 / 2) * (ROUNDS / 20);
const LEAST_IN_FLIGHT = 200;

export const releaseLoad: Scenario = {
  shows: 'deploys and rollbacks in a row on two servers and on one lose no request; others do',
  async run(_instance, print) {
    const figures: Figures = {};
    for (const count of [2, 1]) {
      const servers = await startServers(count);
      try {
        const first = await carryOut(servers, { version: '1.0.0' });
        assert.equal(first.status, 'deployed', first.problem);
        figures[count === 1 ? 'oneServer' : 'twoServers'] = await backAndForth(servers, print);
      } finally {
        await servers.close();
      }
    }
    const servers = await startServers(1);
    try {
      figures.others = await comparePeers(servers, Math.min(ROUNDS, 6), print);
    } finally {
      await servers.close();
    }
    return figures;
  },
};

async function backAndForth(servers: Servers, print: (line: string) => void): Promise<Figures> {
  const client = startClient(servers.public, paths);
  const runs: (Ran & { what: string })[] = [];
  let seen: Seen;
  try {
    for (let round = 1; round <= ROUNDS; round++) {
      for (const what of ['deploy', 'rollback']) {
        const wish = what === 'deploy' ? { version: `1.0.${round}` } : {};
        runs.push({ ...(await carryOut(servers, wish)), what });
      }
      print(`  ${servers.count} servers, round ${round} of ${ROUNDS}`);
    }
  } finally {
    seen = await client.stop();
  }
  for (const { status, problem, what } of runs)
    assert.equal(status, 'deployed', `${what}: ${problem}`);
  const swaps = runs.flatMap(({ moments }) =>
    moments.flatMap(({ kind, what, at, took = 0 }) =>
      kind === 'end' && /^(take out of rotation|wait until healthy)/.test(what)
        ? [fewestInFlight(seen, at - took, at)]
        : [],
    ),
  );
  const fewest = Math.min(...swaps);
  const { sent, failed, sentByKind } = seen;
  print(`  ${failed.length} of ${sent} requests failed, never fewer than ${fewest} under way`);
  const mean = (what: string): number => {
    const took = runs.filter((run) => run.what === what).map((run) => run.took / 1000);
    return took.reduce((sum, each) => sum + each, 0) / took.length;
  };
  return {
    deploys: ROUNDS,
    rollbacks: ROUNDS,
    requests: atLeast(LEAST_REQUESTS, sent, 'requests'),
    failed: atMost(0, failed.length, 'requests'),
    firstFailures: failed.slice(0, 5),
    sentByKind,
    fewestInFlightInAnySwap: atLeast(LEAST_IN_FLIGHT, fewest, 'requests'),
    secondsOfADeploy: mean('deploy'),
    secondsOfARollback: mean('rollback'),
  };
}
