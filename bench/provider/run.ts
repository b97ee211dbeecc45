/**
 * The Hetzner provider's own acceptance tests against the local cloud's API, over recorded
 * hardware.
 *
 *   tools/run node bench/provider/run.ts [package …]     all of them when none is named
 */
import { acceptance, RESOURCES } from './scenario.ts';

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !RESOURCES.includes(name));
if (unknown.length > 0) {
  console.error(`There is no package ${unknown.join(', ')}; there are ${RESOURCES.join(', ')}.`);
  process.exit(2);
}
try {
  await acceptance(wanted.length > 0 ? wanted : RESOURCES, console.log);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
