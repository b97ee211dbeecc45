import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Scenario } from '../scenarios/scenario.ts';
import { accept } from './acceptance.ts';
import { judge, type Outcome } from './outcomes.ts';
import { openSuite } from './suite.ts';

/** Packages of the provider whose resources the project uses, or that those refer to. */
export const RESOURCES = [
  'sshkey',
  'network',
  'firewall',
  'placementgroup',
  'server',
  'volume',
  'loadbalancer',
  'primaryip',
  'rdns',
  'snapshot',
];

export const provider: Scenario = {
  shows: "the Hetzner provider's own acceptance tests pass against the local cloud's API",
  async run(_, print) {
    return acceptance(RESOURCES, print);
  },
};

/**
 * Runs the tests of these packages, one after the other, and prints a line for each.
 * @throws Error when a test fails without a reason in known.json, or fewer than 95 % pass
 */
export async function acceptance(resources: readonly string[], print: (line: string) => void) {
  const known = JSON.parse(
    readFileSync(join(import.meta.dirname, 'known.json'), 'utf8'),
  ) as Record<string, string>;
  const suite = await openSuite(resources, print);
  print(`${'resource'.padEnd(16)}passed  failed  skipped`);
  const all: Outcome[] = [];
  for (const resource of resources) {
    const outcomes = await accept(suite, resource);
    all.push(...outcomes);
    const { passed, failed, skipped } = judge(outcomes, known);
    print(
      `${resource.padEnd(16)}${[passed, failed, skipped].map((n) => String(n).padStart(6)).join('  ')}`,
    );
    for (const { test, result } of outcomes) {
      if (result !== 'pass') print(`  ${result} ${test}: ${known[test] ?? `see ${suite.logs}`}`);
    }
  }
  const { complaints, ...figures } = judge(all, known);
  print(`${figures.passed} of ${figures.passed + figures.failed} pass: ${figures.share} %`);
  if (complaints.length > 0) throw new Error(complaints.join('\n'));
  return { provider: suite.version, ...figures };
}
