import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JobRecord } from '../../demo/progress.ts';
import { release } from '../../demo/release.ts';
import { atConsole } from '../cloud.ts';
import { countsOf, timesOf } from './releases.ts';
import { type Scenario, summaryOf } from './scenario.ts';

const SERVER = 'staging-app-1';
const FILE = '/etc/docker/daemon.json';
const LAST_WORDS = 'The plan of accounts is missing.';

export const broken: Scenario = {
  shows: 'a version that never gets healthy is taken back, and a file altered by hand is repaired',
  async run(instance, print) {
    const read = async () => (await atConsole(instance, SERVER, ['cat', FILE])).stdout;
    const asConfigured = await read();
    await atConsole(instance, SERVER, ['sh', '-c', `echo >> ${FILE}`]);

    const { succeeded, jobs, traffic } = await release(instance, print, { change: neverReady });
    const summary = summaryOf(jobs);
    assert.equal(await read(), asConfigured, 'the file is as it was');
    const [changed] = changedBy(jobs);
    assert.deepEqual(Object.keys(changed ?? {}), [SERVER], 'only that server was changed');

    assert.equal(succeeded, false);
    assert.ok(summary.includes(LAST_WORDS), "the summary shows the container's last lines");
    assert.ok(traffic);
    return { ...timesOf(jobs), ...countsOf(traffic) };
  },
};

/** Of each run of Ansible: server → tasks that changed something on it, without those with none. */
function changedBy(jobs: readonly JobRecord[]): Record<string, number>[] {
  const tables = jobs
    .flatMap(({ summaries }) => summaries)
    .filter((text) => text.includes('| host | ok | changed |'));
  return tables.map((table) =>
    Object.fromEntries(
      [...table.matchAll(/^\| (staging-\S+) \| \d+ \| (\d+) \|/gm)]
        .map(([, host = '', count]) => [host, Number(count)] as const)
        .filter(([, count]) => count > 0),
    ),
  );
}

/** As a developer might: a bean that refuses, long after the tests were green. */
function neverReady(workspace: string): void {
  const file = join(
    workspace,
    'examples/services/accounting-service/src/main/java/tn/compta/accounting/AccountingApplication.java',
  );
  const source = readFileSync(file, 'utf8');
  const refuse = `if (System.getenv("SPRING_PROFILES_ACTIVE") != null) {
      System.err.println("${LAST_WORDS}");
      System.exit(3);
    }
    `;
  const altered = source.replace('SpringApplication.run', `${refuse}SpringApplication.run`);
  assert.notEqual(altered, source);
  writeFileSync(file, altered);
}
