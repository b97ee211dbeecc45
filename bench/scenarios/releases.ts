import assert from 'node:assert/strict';
import type { Verdict } from '../../demo/ledger.ts';
import type { JobRecord } from '../../demo/progress.ts';
import { release } from '../../demo/release.ts';
import { cloud } from '../cloud.ts';
import { atLeast, atMost, type Figures } from '../measurement.ts';
import { type Scenario, seconds, summaryOf } from './scenario.ts';

/** What a release without loss is measured by. */
const LEAST_REQUESTS = 20_000;
const LEAST_IN_FLIGHT = 20;
/** Seconds that the second release may take on two cores. */
const SECOND = 480;

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
    return {
      first: timesOf(first.jobs),
      second: {
        ...timesOf(second.jobs),
        seconds: atMost(SECOND, secondsOf(second.jobs), 's'),
        ...countsOf(second.traffic),
      },
    };
  },
};

/** A release under enough load to say that it loses nothing. */
export function countsOf(traffic: Verdict): Figures {
  const { requests, leastInFlight } = traffic;
  return {
    ...lossOf(traffic),
    requests: atLeast(LEAST_REQUESTS, requests, 'requests'),
    leastInFlight: atLeast(LEAST_IN_FLIGHT, leastInFlight, 'requests'),
  };
}

/** What was lost, however many requests there were. */
export function lossOf({ requests, posts, failed, lost, doubled }: Verdict): Figures {
  return {
    requests,
    posts,
    failed: atMost(0, failed.length, 'requests'),
    lost: atMost(0, lost.length, 'entries'),
    doubled: atMost(0, doubled.length, 'entries'),
    ...(failed.length > 0 && {
      firstFailures: failed.slice(0, 5).map((each) => JSON.stringify(each)),
    }),
  };
}

export function timesOf(jobs: readonly JobRecord[]): Figures {
  return {
    seconds: secondsOf(jobs),
    secondsByJob: Object.fromEntries(jobs.map((job) => [job.name, seconds(job.end - job.start)])),
  };
}

function secondsOf(jobs: readonly JobRecord[]): number {
  const start = Math.min(...jobs.map((job) => job.start));
  const end = Math.max(...jobs.map((job) => job.end));
  return seconds(end - start);
}
