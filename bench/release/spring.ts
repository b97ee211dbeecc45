import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inventoryOf } from '../../demo/cloud.ts';
import { openOffice } from '../../demo/office.ts';
import { elapsed } from '../../lib/report/markdown.ts';
import { type Ended, runWithPost, startAction } from '../../lib/runner/test/start-action.ts';
import { checkout } from '../../local-cloud/claim.ts';
import type { Instance } from '../../local-cloud/instance.ts';
import { type Desk, sitDown, whatRuns } from '../desk.ts';
import { atLeast } from '../measurement.ts';
import { countsOf } from '../scenarios/releases.ts';
import type { Scenario } from '../scenarios/scenario.ts';

const CUTS = 10;
/** Takes half a minute to start, as Spring services do. */
const CHANGES = 'auth-service';

export const killedSpring: Scenario = {
  shows:
    'a release of a Spring service is killed ten times, from its begin to its end; no request fails',
  async run(instance, print) {
    const { url } = await inventoryOf(instance);
    assert.ok(url, 'there is a release: `make demo` first');
    const folder = mkdtempSync(join(tmpdir(), 'compta-spring-'));
    try {
      const desk = await sitDown(instance, folder);
      const release = await releasesOf(desk, instance, url);
      // The first changes also what the pipeline had given otherwise.
      await finished(release(0));
      const whole = await finished(release(1));
      const places = evenly(stepsIn(whole.stdout), CUTS);
      const office = await openOffice(instance, { url }, folder);
      const begun = Date.now();
      for (const [index, place] of places.entries()) {
        const start = Date.now();
        const killed = startAction(...release(index + 2));
        await killed.said(place);
        killed.kill('SIGKILL');
        await killed.ended;
        await finished(release(index + 2));
        const took = elapsed(Date.now() - start);
        print(
          `  ${index + 1} of ${CUTS}: killed at “${place}”, the next deploy finished (${took})`,
        );
      }
      const traffic = await office.close({ start: begun, end: Date.now() }, 0);
      return { kills: atLeast(CUTS, places.length, 'places'), ...countsOf(traffic) };
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
};

/** A deploy of what runs already, in which one service alone has another secret at each turn. */
async function releasesOf(desk: Desk, instance: Instance, url: string) {
  const { version, images, variables } = await whatRuns(desk, instance);
  return (turn: number): Parameters<typeof runWithPost> => [
    'action-deploy',
    {
      environment: 'staging',
      'terraform-outputs': desk.inputs['terraform-outputs'] ?? '',
      'private-key': desk.identity.sshPrivateKey,
      'runner-access': 'true',
      'runner-address': desk.inputs['runner-address'] ?? '',
      'hcloud-token': desk.identity.hcloudToken,
      version,
      images: JSON.stringify(images),
      variables: JSON.stringify(variables),
      secrets: JSON.stringify({ [CHANGES]: { 'bench.turn': String(turn) } }),
      'base-url': url,
      registry: String(Object.values(images)[0]).split('/')[0] ?? '',
      username: desk.identity.registryUser,
      password: desk.identity.registryPassword,
    },
    { ...desk.env, GITHUB_WORKSPACE: checkout },
  ];
}

async function finished(release: Parameters<typeof runWithPost>): Promise<Ended> {
  const ended = await runWithPost(...release);
  // What was killed after it was recorded is there already.
  assert.match(String(ended.outputs.status), /^(deployed|unchanged)$/, ended.stdout.slice(-4_000));
  return ended;
}

/** The begin and the end of each step as the log has them, without slot and release, which differ. */
export function stepsIn(log: string): string[] {
  const lines = log.matchAll(/^ *[\d.]+ s {2}(.*[▶✓] .+?)(-[ab]|-[0-9a-f]{8})?( {2}\(.*\))?$/gm);
  return [...new Set([...lines].map(([, step = '']) => step))];
}

/** So many of them, from the first to the last. */
export function evenly<T>(all: readonly T[], count: number): T[] {
  return Array.from(
    { length: count },
    (_, index) => all[Math.round((index * (all.length - 1)) / (count - 1))] as T,
  );
}
