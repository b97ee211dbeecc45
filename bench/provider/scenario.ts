import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { atLeast } from '../measurement.ts';
import type { Scenario } from '../scenarios/scenario.ts';
import { accept } from './acceptance.ts';
import { judge, type Known, type Outcome, reasonOf, type Verdict } from './outcomes.ts';
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
  'certificate',
  'primaryip',
  'floatingip',
  'rdns',
  'snapshot',
];

/** The least share of passing tests over all resources, in percent. */
const LEAST = 95;

export const provider: Scenario = {
  shows: `${LEAST} % of the Hetzner provider's own acceptance tests pass against the local API`,
  async run(_, print) {
    const { surprises, ...figures } = await acceptance(RESOURCES, print);
    return { ...figures, share: atLeast(LEAST, figures.share, '%') };
  },
};

/**
 * Runs the tests of these packages, one package after the other, and prints a line for each.
 * @throws Error when one ends otherwise than known.json says
 */
export async function acceptance(
  resources: readonly string[],
  print: (line: string) => void,
): Promise<Verdict> {
  const known = JSON.parse(readFileSync(join(import.meta.dirname, 'known.json'), 'utf8')) as Known;
  const suite = await openSuite(resources, print);
  print(`provider ${suite.version}; what the tests said is in ${suite.logs}`);
  print(row('resource', 'passed', 'failed', 'not runnable'));
  const all: Outcome[] = [];
  for (const resource of resources) {
    const outcomes = await accept(suite, resource);
    all.push(...outcomes);
    const { passed, failed, notRunnable } = judge(outcomes, known);
    print(row(resource, passed, failed, notRunnable));
    for (const { test, result } of outcomes) {
      if (result !== 'pass') print(`  ${test}: ${reasonOf(test, known) ?? 'unknown'}`);
    }
  }
  const verdict = judge(all, known);
  print(row('all', verdict.passed, verdict.failed, verdict.notRunnable));
  print(`${verdict.share} % of those that can run pass`);
  if (verdict.surprises.length > 0) throw new Error(verdict.surprises.join('\n'));
  return verdict;
}

function row(name: string, ...cells: (string | number)[]): string {
  return name.padEnd(16) + cells.map((cell) => String(cell).padStart(14)).join('');
}
