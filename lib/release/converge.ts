import { bring, type Circumstances, type Outcome, underLease } from './bring.ts';
import { allImages, pullAbsent } from './deploy.ts';
import type { Host } from './host.ts';
import { note, step } from './progress.ts';
import { behindOf, leaderOf, standingsOf } from './standing.ts';
import * as store from './store.ts';

/**
 * Brings every host to what the environment's current release is: one that was away during a
 * release, one that is new, one whose containers somebody removed. The others are not touched.
 */
export async function converge(hosts: readonly Host[], how: Circumstances): Promise<Outcome> {
  return underLease(hosts, how, async (lease) => {
    const standings = await standingsOf(hosts);
    const leader = leaderOf(standings);
    const release =
      leader?.current && (await store.readRelease(leader.host, leader.current.release));
    if (leader === undefined || release === undefined) {
      throw new Error('Nothing was ever released here: deploy first.');
    }
    const { manifest } = release;
    note(how.tell, '', `The current release is ${manifest.release}, as ${leader.host.name} says`);
    await Promise.all(hosts.map((host) => pullAbsent(host, allImages(manifest), how)));
    for (const host of behindOf(standings)) {
      await step(how.tell, host.name, `take over ${manifest.release}`, async () => {
        await store.giveRelease(host, release);
        await store.copyState(leader.host, host);
      });
    }
    return bring(standings, { release, action: 'converge' }, how, lease);
  });
}
