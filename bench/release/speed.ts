import assert from 'node:assert/strict';
import { type Moment, progressTable } from '../../lib/release/progress.ts';
import { services } from '../../lib/release/test/fixture/environment.ts';
import { atMost } from '../measurement.ts';
import type { Scenario } from '../scenarios/scenario.ts';
import { carryOut, startServers } from './servers.ts';

/** How much longer than it has to a release may take. */
const BOUND = 1.2;

export const releaseSpeed: Scenario = {
  shows: 'a release takes little longer than its pull and its services need to become healthy',
  async run(_instance, print) {
    const servers = await startServers(1);
    try {
      const first = await carryOut(servers, { version: '1.0.0' });
      assert.equal(first.status, 'deployed', first.problem);
      // As long as Spring services do.
      const faults = Object.fromEntries(services.map((service) => [service, 'starts-slowly']));
      const seen = progressTable(print, 'app-1'.length);
      const release = await carryOut(servers, { version: '1.1.0', faults, seen });
      assert.equal(release.status, 'deployed', release.problem);
      const least = leastTime(release.moments);
      const share = Math.round((release.took / least) * 100) / 100;
      print(`  ${release.took / 1000} s, of which ${least / 1000} s are due: ${share}`);
      return {
        seconds: release.took / 1000,
        lowerBound: least / 1000,
        againstLowerBound: atMost(BOUND, share, 'of the lower bound'),
      };
    } finally {
      await servers.close();
    }
  },
};

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
