import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { release } from '../../demo/release.ts';
import { timesOf } from './releases.ts';
import { type Scenario, summaryOf } from './scenario.ts';

const LOG4J = `<dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-core</artifactId>
      <version>2.14.1</version>
    </dependency>
  </dependencies>`;

export const vulnerable: Scenario = {
  shows: 'an image with log4j-core 2.14.1 is refused, and nothing of it is in the registry',
  async run(instance, print) {
    const pushed = () =>
      readdirSync(join(instance.stateDirectory, 'registry', 'data'), { recursive: true }).length;
    const before = pushed();
    const { succeeded, jobs } = await release(instance, print, {
      change(workspace) {
        const file = join(workspace, 'examples/services/accounting-service/pom.xml');
        writeFileSync(file, readFileSync(file, 'utf8').replace('</dependencies>', LOG4J));
      },
    });
    assert.equal(succeeded, false);
    assert.equal(pushed(), before, 'nothing came to the registry');
    const summary = summaryOf(jobs);
    for (const word of ['log4j-core', '2.14.1', 'CVE-2021-44228', '2.15.0']) {
      assert.ok(summary.includes(word), `the summary says ${word}`);
    }
    assert.ok(!jobs.some(({ name }) => name === 'Release to the servers'), 'nothing was released');
    return timesOf(jobs);
  },
};
