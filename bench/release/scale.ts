import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { composeWithin } from '../../lib/release/test/fixture/template.ts';
import { undone } from '../interruption.ts';
import { atLeast, atMost, type Figures } from '../measurement.ts';
import type { Scenario } from '../scenarios/scenario.ts';
import { carryOut, startServers } from './servers.ts';

const COUNTS = (process.env.BENCH_SCALE_HOSTS ?? '1,2,4,8,16').split(',').map(Number);
/** How much longer than on one server a release may take on many at once. */
const BOUND = 1.3;
/**
 * Cores that each server has, in every run: all of them share this machine's two, and one that had those
 * to itself would not be one of sixteen. The runner and the load balancer have what is left.
 */
const CORES = 0.08;

export const releaseScale: Scenario = {
  shows: 'a release to many servers at once takes about as long as to one',
  async run(_instance, print) {
    const folder = mkdtempSync(join(tmpdir(), 'compta-scale-'));
    const remove = undone(async () => rmSync(folder, { recursive: true }));
    const compose = composeWithin(CORES, folder);
    const measured: { count: number; took: number }[] = [];
    let problem: string | undefined;
    try {
      // The first again at the end: the machine may have been busy when it was measured.
      for (const count of [...COUNTS, ...COUNTS.slice(0, 1)]) {
        const took = await secondsOn(count, compose, print);
        print(`  ${count} servers: ${took.toFixed(1)} s`);
        measured.push({ count, took });
      }
    } catch (error) {
      // What was measured on fewer is worth having.
      problem = error instanceof Error ? error.message : String(error);
      print(`  ${problem}`);
    } finally {
      await remove();
    }
    return { ...figuresOf(measured), ...(problem !== undefined && { problem }) };
  },
};

/** Each against the shorter time of the number of servers that was measured first and last. */
function figuresOf(measured: readonly { count: number; took: number }[]): Figures {
  const [base] = measured;
  const least = Math.min(
    ...measured.filter(({ count }) => count === base?.count).map(({ took }) => took),
  );
  const figures = measured.map(({ count, took }, index) => {
    const again = index > 0 && count === base?.count ? ', again' : '';
    const share = Math.round((took / least) * 100) / 100;
    return [
      `${count} servers${again}`,
      { seconds: took, againstOne: atMost(BOUND, share, 'of one') },
    ];
  });
  return {
    ...Object.fromEntries(figures),
    released: atLeast(COUNTS.length + 1, measured.length, 'of the fleets'),
  };
}

/** Seconds of a release of all services to so many servers at once, which have the one before it. */
async function secondsOn(
  count: number,
  compose: string,
  print: (line: string) => void,
): Promise<number> {
  print(`  ${count} servers: starting them and releasing for the first time …`);
  const servers = await startServers(count, { cores: CORES });
  try {
    const first = await carryOut(servers, { version: '1.0.0', compose });
    assert.equal(first.status, 'deployed', first.problem);
    const { status, took, problem } = await carryOut(servers, { version: '1.0.1', compose });
    assert.equal(status, 'deployed', problem);
    return took / 1000;
  } finally {
    await servers.close();
  }
}
