/**
 * `make bench`: the measurements too long for `make test`, on the local cloud of this checkout.
 *
 *   node bench/run.ts [scenario …]     all of them when none is named
 *   node bench/run.ts --help           what each one shows
 *
 * A scenario that fails, or has a figure beyond its bound, ends the bench; the figures of the others
 * are kept in results.json.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { elapsed } from '../lib/report/markdown.ts';
import { claimInstance } from '../local-cloud/claim.ts';
import { judges } from './ansible/judges.ts';
import { production } from './ansible/production.ts';
import { speed } from './ansible/speed.ts';
import { images } from './build/images.ts';
import { building } from './build/scenario.ts';
import { backups, moments } from './data/scenario.ts';
import { measurementsIn } from './measurement.ts';
import { productionWorkflow } from './production/scenario.ts';
import { provider } from './provider/scenario.ts';
import { cutConnections, killedRunners, restartedEngines } from './release/kills.ts';
import { onOneServer, onTwoServers } from './release/load.ts';
import { releasePower } from './release/power.ts';
import { releaseScale } from './release/scale.ts';
import { releaseSpeed } from './release/speed.ts';
import { killedSpring } from './release/spring.ts';
import { currentCommit, record } from './results.ts';
import { broken } from './scenarios/broken.ts';
import { dispatches } from './scenarios/dispatches.ts';
import { kills } from './scenarios/kills.ts';
import { leaks } from './scenarios/leaks.ts';
import { leavings } from './scenarios/leavings.ts';
import { refusals } from './scenarios/refusals.ts';
import { releases } from './scenarios/releases.ts';
import { rollback } from './scenarios/rollback.ts';
import type { Scenario } from './scenarios/scenario.ts';
import { schema } from './scenarios/schema.ts';
import { upkeep } from './scenarios/upkeep.ts';
import { vulnerable } from './scenarios/vulnerable.ts';
import { terraformKills } from './terraform/kills.ts';
import { terraformOverhead } from './terraform/overhead.ts';

const SCENARIOS: Record<string, Scenario> = {
  releases,
  broken,
  rollback,
  dispatches,
  vulnerable,
  refusals,
  leaks,
  upkeep,
  schema,
  kills,
  leavings,
  production: productionWorkflow,
  provider,
  building,
  images,
  'terraform-kills': terraformKills,
  'terraform-overhead': terraformOverhead,
  'roles-judges': judges,
  'roles-production': production,
  'ansible-speed': speed,
  backups,
  moments,
  'release-load-two': onTwoServers,
  'release-load-one': onOneServer,
  'release-kills-runner': killedRunners,
  'release-kills-connection': cutConnections,
  'release-kills-engine': restartedEngines,
  'release-kills-spring': killedSpring,
  'release-power': releasePower,
  'release-scale': releaseScale,
  'release-speed': releaseSpeed,
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in SCENARIOS));
if (unknown.length > 0) {
  const list = Object.entries(SCENARIOS).map(
    ([name, { shows }]) => `  ${name.padEnd(24)} ${shows}`,
  );
  const help = unknown.some((name) => name === '--help' || name === '-h');
  if (!help) console.error(`There is no scenario ${unknown.join(', ')}.\n`);
  console.log(`usage: node bench/run.ts [scenario …]\n\n${list.join('\n')}`);
  process.exit(help ? 0 : 2);
}

const files = {
  results: join(import.meta.dirname, 'results.json'),
  table: join(import.meta.dirname, 'README.md'),
};
const commit = await currentCommit();
for (const [name, scenario] of Object.entries(SCENARIOS)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const begun = Date.now();
  console.log(`\n▶ ${name}: ${scenario.shows}\n`);
  try {
    const figures = await scenario.run(claimInstance(), console.log);
    record(files, name, figures, commit);
    const beyond = measurementsIn(figures).filter(([, { holds }]) => !holds);
    assert.deepEqual(beyond, [], 'every figure is within its bound');
    console.log(
      `\n✅ ${name}, ${elapsed(Date.now() - begun)}\n${JSON.stringify(figures, null, 2)}`,
    );
  } catch (error) {
    console.error(`\n❌ ${name}, ${elapsed(Date.now() - begun)}`);
    throw error;
  }
}
