import assert from 'node:assert/strict';
import type { Verdict } from '../../demo/ledger.ts';
import type { JobRecord } from '../../demo/progress.ts';
import { lostNothing, release } from '../../demo/release.ts';
import { cloud } from '../cloud.ts';
import type { Figures } from '../results.ts';
import { type Scenario, seconds, summaryOf } from './scenario.ts';

/** What the issue of a release without loss is measured by. */
const LEAST_REQUESTS = 20_000;
const LEAST_IN_FLIGHT = 20;

export const releases: Scenario = {
  shows: 'a first release from nothing, and a second one under load that loses nothing',
  async run(instance, print) {
    await cloud('reset');
    await cloud('up');
    const first = await release(instance, print);
    assert.ok(first.succeeded, 'the first release');

    const second = await release(instance, print);
    assert.ok(second.succeeded, 'the second release');
    const summary = summaryOf(second.jobs);
    assert.match(summary, /is as planned: no changes/);
    assert.match(summary, /site\.yml: nothing to change/);
    assert.ok(second.traffic);
    withoutLoss(second.traffic);
    return {
      first: timesOf(first.jobs),
      second: { ...timesOf(second.jobs), ...countsOf(second.traffic) },
    };
  },
};

export function withoutLoss(traffic: Verdict): void {
  assert.ok(lostNothing(traffic), JSON.stringify(countsOf(traffic)));
  assert.ok(traffic.requests >= LEAST_REQUESTS, `only ${traffic.requests} requests`);
  assert.ok(traffic.leastInFlight >= LEAST_IN_FLIGHT, `only ${traffic.leastInFlight} in flight`);
}

export function countsOf(traffic: Verdict): Figures {
  const { requests, posts, failed, lost, doubled, leastInFlight } = traffic;
  return {
    requests,
    posts,
    failed: failed.length,
    lost: lost.length,
    doubled: doubled.length,
    leastInFlight,
  };
}

export function timesOf(jobs: readonly JobRecord[]): Figures {
  const start = Math.min(...jobs.map((job) => job.start));
  const end = Math.max(...jobs.map((job) => job.end));
  return {
    seconds: seconds(end - start),
    secondsByJob: Object.fromEntries(jobs.map((job) => [job.name, seconds(job.end - job.start)])),
  };
}
