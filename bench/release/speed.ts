import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Moment, progressTable } from '../../lib/release/progress.ts';
import { services } from '../../lib/release/test/fixture/environment.ts';
import { startLedger } from '../../lib/release/test/fixture/ledger.ts';
import { atMost } from '../measurement.ts';
import type { Scenario } from '../scenarios/scenario.ts';
import { comparePeers } from './peers.ts';
import { carryOut, type Ran, startServers } from './servers.ts';
import { PLACES, SETTLING, startClient } from './traffic.ts';

/** How much longer than it has to a release may take. */
const BOUND = 1.2;

/** As long as Spring services do. */
const faults = Object.fromEntries(services.map((service) => [service, 'starts-slowly']));

export const releaseSpeed: Scenario = {
  shows:
    'a release takes little longer than its pull and its services need to become healthy, and no longer than others',
  async run(_instance, print) {
    const { quiet, least, loaded, failed } = await ourTimes(print);
    const others = await comparePeers({ releases: 1, faults }, print);
    return {
      seconds: quiet,
      lowerBound: least,
      againstLowerBound: atMost(BOUND, share(quiet, least), 'of the lower bound'),
      secondsUnderLoad: loaded,
      failedUnderLoad: atMost(0, failed, 'requests'),
      against: Object.fromEntries(
        Object.entries(others).map(([name, { secondsOfARelease: seconds, failed: theirs }]) => [
          name,
          { seconds, failed: theirs, ours: atMost(1, share(loaded, seconds), 'of its time') },
        ]),
      ),
    };
  },
};

/** Seconds of a release, without load and with it, of what is due in the former, and what failed in the latter. */
async function ourTimes(
  print: (line: string) => void,
): Promise<{ quiet: number; least: number; loaded: number; failed: number }> {
  const servers = await startServers(1);
  const ledger = await startLedger(servers.test.gateway);
  const release = async (version: string, seen?: (moment: Moment) => void): Promise<Ran> => {
    const ran = await carryOut(servers, { version, faults, ...(seen && { seen }) });
    assert.equal(ran.status, 'deployed', ran.problem);
    return ran;
  };
  try {
    await release('1.0.0');
    const { took, moments } = await release('1.1.0', progressTable(print, 'app-1'.length));
    const quiet = took / 1000;
    const least = leastTime(moments) / 1000;
    print(`  ${quiet} s, of which ${least} s are due`);
    const client = startClient({ base: servers.public }, PLACES);
    await sleep(SETTLING);
    const released = release('1.2.0');
    const traffic = released.then(client.stop, client.stop);
    const loaded = (await released).took / 1000;
    const failed = (await traffic).failed.length;
    print(`  ${loaded} s under load, ${failed} requests failed`);
    return { quiet, least, loaded, failed };
  } finally {
    await ledger.close();
    await servers.close();
  }
}

/** Rounded up: a figure just beyond its bound is beyond it. */
const share = (time: number, other: number): number => Math.ceil((time / other) * 100) / 100;

/**
 * Milliseconds without which the release could not have been done: on the slowest server, the pull
 * and then, service after service, the time from its start until Docker called it healthy.
 */
export function leastTime(moments: readonly Moment[]): number {
  const byHost = new Map<string, number>();
  const begun = new Map<string, number>();
  for (const { host, kind, what, at, took = 0 } of moments) {
    const [, started] = /^start (\S+-[ab])$/.exec(what) ?? [];
    const [, healthy] = /^(\S+-[ab]) is healthy$/.exec(what) ?? [];
    if (kind === 'begin' && started) begun.set(`${host} ${started}`, at);
    const pulled = kind === 'end' && what.startsWith('pull ') ? took : 0;
    const grown = healthy ? at - (begun.get(`${host} ${healthy}`) ?? at) : 0;
    byHost.set(host, (byHost.get(host) ?? 0) + pulled + grown);
  }
  return Math.max(...byHost.values());
}
