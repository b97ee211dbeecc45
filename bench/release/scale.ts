import assert from 'node:assert/strict';
import type { Figures } from '../results.ts';
import type { Scenario } from '../scenarios/scenario.ts';
import { carryOut, startServers } from './servers.ts';

const COUNTS = (process.env.BENCH_SCALE_HOSTS ?? '1,2,4,8').split(',').map(Number);
/** How much longer than on one server a release may take on many at once. */
const BOUND = 1.3;

export const releaseScale: Scenario = {
  shows: 'a release to many servers at once takes about as long as to one',
  async run(_instance, print) {
    const rows: Figures[] = [];
    for (const count of COUNTS) {
      const servers = await startServers(count);
      try {
        const first = await carryOut(servers, { version: '1.0.0' });
        assert.equal(first.status, 'deployed', first.problem);
        const { status, took, problem } = await carryOut(servers, { version: '1.0.1' });
        assert.equal(status, 'deployed', problem);
        const one = Number(rows[0]?.seconds ?? took / 1000);
        const row = { hosts: count, seconds: took / 1000, againstOne: took / 1000 / one };
        print(
          `  ${count} servers: ${row.seconds.toFixed(1)} s, ${row.againstOne.toFixed(2)} of one`,
        );
        rows.push(row);
      } finally {
        await servers.close();
      }
    }
    const worst = Math.max(...rows.map((row) => Number(row.againstOne)));
    return { rows, bound: BOUND, holds: worst <= BOUND };
  },
};
