import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { detection } from '../../lib/release/test/fixture/balancer.ts';
import { paths } from '../../lib/release/test/fixture/environment.ts';
import { startLoad } from '../../lib/release/test/fixture/load.ts';
import { atMost, type Figures } from '../measurement.ts';
import type { Scenario } from '../scenarios/scenario.ts';
import { carryOut, startServers } from './servers.ts';

const SERVICE = 'auth-service';

/** When the second server loses its power, in a release to one server after the other. */
const MOMENTS = {
  'while the first one changes': `begin app-1: take out of rotation, drain and end ${SERVICE}`,
  'while its new slot starts': `end app-2: start ${SERVICE}`,
  'while its old slot drains': `begin app-2: take out of rotation, drain and end ${SERVICE}`,
};

export const releasePower: Scenario = {
  shows: 'a server that loses its power costs what is under way there until that is noticed',
  async run(_instance, print) {
    const servers = await startServers(2);
    const [, second] = servers.test.hosts;
    assert.ok(second);
    const figures: Figures = {};
    try {
      const first = await carryOut(servers, { version: '1.0.0' });
      assert.equal(first.status, 'deployed', first.problem);
      for (const [index, [when, moment]] of Object.entries(MOMENTS).entries()) {
        const client = startLoad(servers.public, paths, {
          connections: 64,
          pause: 50,
          limit: 1_000_000,
        });
        const wish = { version: `1.1.${index}`, only: [SERVICE], batch: 1 };
        let off: { at: number; failedBefore: number; done: Promise<void> } | undefined;
        const cut = await carryOut(servers, {
          ...wish,
          seen({ name }) {
            if (name !== moment) return;
            off ??= { at: Date.now(), failedBefore: client.failedYet(), done: second.powerOff() };
          },
        });
        assert.ok(off, `“${moment}” never came`);
        assert.equal(cut.status, 'failed', when);
        await off.done;
        await sleep(Math.max(0, off.at + detection + 2_000 - Date.now()));
        await second.powerOn();
        const after = await carryOut(servers, wish);
        assert.equal(after.status, 'deployed', after.problem);
        const { sent, failed } = await client.stop();
        const { at, failedBefore } = off;
        const sentAt = failed.map((line) => Date.parse(line.split(' ')[0] ?? '') - at);
        const [underWay, unnoticed, later] = [
          sentAt.filter((after) => after <= 0),
          sentAt.filter((after) => after > 0 && after <= detection),
          sentAt.filter((after) => after > detection),
        ].map(({ length }) => length) as [number, number, number];
        assert.ok(sent > 1_000, `only ${sent} requests were sent`);
        print(
          `  ${when}: of ${sent} requests failed ${failedBefore} before, ${underWay - failedBefore} under way, ${unnoticed} until it was noticed, ${later} later`,
        );
        figures[when] = {
          requests: sent,
          failedBefore: atMost(0, failedBefore, 'requests'),
          failedUnderWay: underWay - failedBefore,
          failedUntilNoticed: unnoticed,
          secondsUntilNoticed: detection / 1000,
          failedLater: atMost(0, later, 'requests'),
        };
      }
      return figures;
    } finally {
      await servers.close();
    }
  },
};
