/**
 * `make demo`: from a push to a released COMPTA on this machine. Once there is a release, the
 * next one is rolled out under the eyes of a client that posts entries all the time.
 */
import { join } from 'node:path';
import { claimInstance } from '../local-cloud/claim.ts';
import { lostNothing, release } from './release.ts';
import { writeReport } from './report.ts';
import { screen } from './screen.ts';

const begun = Date.now();
const { push, id, folder, jobs, traffic, cloud, ...run } = await release(
  claimInstance(),
  console.log,
);
const succeeded = run.succeeded && (!traffic || lostNothing(traffic));
const lines = screen({
  ...cloud,
  succeeded,
  version: push.version,
  milliseconds: Date.now() - begun,
  jobs,
  traffic,
});
const title = `COMPTA ${push.version} on staging`;
const report = writeReport(
  { title, facts: lines, jobs, results: cloud.results(id) },
  join(folder, 'report'),
);
console.log(`\n${[...lines, '', `  report        ${report}`].join('\n')}`);
process.exitCode = succeeded ? 0 : 1;
