import assert from 'node:assert/strict';
import { atMost, type Figures } from '../measurement.ts';
import type { Scenario } from '../scenarios/scenario.ts';
import { carryOut, startServers } from './servers.ts';

const COUNTS = (process.env.BENCH_SCALE_HOSTS ?? '1,2,4,8').split(',').map(Number);
/** How much longer than on one server a release may take on many at once. */
const BOUND = 1.3;

export const releaseScale: Scenario = {
  shows: 'a release to many servers at once takes about as long as to one',
  async run(_instance, print) {
    const figures: Figures = {};
    let one: number | undefined;
    for (const count of COUNTS) {
      const servers = await startServers(count);
      try {
        const first = await carryOut(servers, { version: '1.0.0' });
        assert.equal(first.status, 'deployed', first.problem);
        const { status, took, problem } = await carryOut(servers, { version: '1.0.1' });
        assert.equal(status, 'deployed', problem);
        one ??= took;
        const share = Math.round((took / one) * 100) / 100;
        print(`  ${count} servers: ${(took / 1000).toFixed(1)} s, ${share} of one`);
        figures[`${count} servers`] = {
          seconds: took / 1000,
          againstOne: atMost(BOUND, share, 'of one'),
        };
      } finally {
        await servers.close();
      }
    }
    return figures;
  },
};
