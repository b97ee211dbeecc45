import assert from 'node:assert/strict';
import { paths } from '../../lib/release/test/fixture/environment.ts';
import { startLedger } from '../../lib/release/test/fixture/ledger.ts';
import { atLeast, atMost, type Figures } from '../measurement.ts';
import type { Scenario } from '../scenarios/scenario.ts';
import type { Places } from './client.ts';
import { comparePeers } from './peers.ts';
import { carryOut, type Production, type Ran, startProduction, startServers } from './servers.ts';
import { entriesIn, fewestInFlight, startClient, type Traffic } from './traffic.ts';

/** Deploys, each followed by a rollback; fewer for a shorter run. */
const ROUNDS = Number(process.env.BENCH_LOAD_ROUNDS ?? '20');
const LEAST_REQUESTS = (500_000 / 2) * (ROUNDS / 20);
const LEAST_IN_FLIGHT = 200;

/** Each service by way of the gateway, which calls it by its name. */
const PLACES: Places = {
  paths,
  entries: '/api/accounting/entries',
  streams: [
    { kind: 'events', path: '/api/events' },
    { kind: 'events', path: '/api/auth/events' },
    { kind: 'socket', path: '/api/socket' },
  ],
};

export const releaseLoad: Scenario = {
  shows: 'deploys and rollbacks in a row on two servers and on one lose no request; others do',
  async run(_instance, print) {
    const figures: Figures = {};
    for (const count of [2, 1]) {
      const servers = await startProduction(count);
      try {
        figures[count === 1 ? 'oneServer' : 'twoServers'] = await backAndForth(servers, print);
      } finally {
        await servers.close();
      }
    }
    const servers = await startServers(1);
    const ledger = await startLedger(servers.test.gateway);
    try {
      figures.others = await comparePeers(servers, ledger, Math.min(ROUNDS, 6), print);
    } finally {
      await ledger.close();
      await servers.close();
    }
    return figures;
  },
};

async function backAndForth(servers: Production, print: (line: string) => void): Promise<Figures> {
  const client = startClient(servers.site, PLACES);
  const runs: (Ran & { what: string })[] = [];
  let traffic: Traffic;
  try {
    for (let round = 1; round <= ROUNDS; round++) {
      for (const what of ['deploy', 'rollback']) {
        const wish = what === 'deploy' ? { version: `1.0.${round}` } : {};
        runs.push({ ...(await carryOut(servers, wish)), what });
      }
      print(`  ${servers.count} servers, round ${round} of ${ROUNDS}`);
    }
  } finally {
    traffic = await client.stop();
  }
  const swaps = runs.flatMap(({ moments }) =>
    moments.flatMap(({ kind, what, at, took = 0 }) =>
      kind === 'end' && /^(take out of rotation|wait until healthy)/.test(what)
        ? [fewestInFlight(traffic, at - took, at)]
        : [],
    ),
  );
  const fewest = Math.min(...swaps);
  const { sent, failed, sentByKind, streams } = traffic;
  print(`  ${failed.length} of ${sent} requests failed, never fewer than ${fewest} under way`);
  for (const { status, problem, what } of runs)
    assert.equal(status, 'deployed', `${what}: ${problem}`);
  const mean = (what: string): number => {
    const took = runs.filter((run) => run.what === what).map((run) => run.took / 1000);
    return took.reduce((sum, each) => sum + each, 0) / took.length;
  };
  const { posts, lost, doubled } = entriesIn(traffic, servers.ledger);
  return {
    deploys: ROUNDS,
    rollbacks: ROUNDS,
    requests: atLeast(LEAST_REQUESTS, sent, 'requests'),
    failed: atMost(0, failed.length, 'requests and streams'),
    firstFailures: failed.slice(0, 5),
    sentByKind,
    entries: {
      posted: posts,
      lost: atMost(0, lost, 'entries'),
      doubled: atMost(0, doubled, 'entries'),
    },
    streams,
    fewestInFlightInAnySwap: atLeast(LEAST_IN_FLIGHT, fewest, 'requests'),
    secondsOfADeploy: mean('deploy'),
    secondsOfARollback: mean('rollback'),
  };
}
