/**
 * `make demo`: from a push to a released COMPTA on this machine. Once there is a release, the
 * next one is rolled out under the eyes of a client that posts entries all the time.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkout, claimInstance } from '../local-cloud/claim.ts';
import { inventoryOf } from './cloud.ts';
import { openOffice } from './office.ts';
import { Progress } from './progress.ts';
import { writeReport } from './report.ts';
import { pushNextVersion } from './repository.ts';
import { screen } from './screen.ts';
import { runWorkflow } from './workflow.ts';

const RELEASE_JOB = 'Release to the servers';
/** Fewer would prove little about what happens between two health checks. */
const ENOUGH_REQUESTS = 20_000;

const begun = Date.now();
const instance = claimInstance();
const stateFile = join(instance.stateDirectory, 'demo.json');
const before = existsSync(stateFile)
  ? (JSON.parse(readFileSync(stateFile, 'utf8')) as { url: string })
  : undefined;

const id = Math.floor(begun / 1000);
const folder = join(instance.stateDirectory, 'runs', String(id));
const push = await pushNextVersion(checkout, instance.stateDirectory);
console.log(`Pushed ${push.version} (${push.sha.slice(0, 7)}) to develop.`);
const office = before ? await openOffice(instance, before.url, folder) : undefined;
if (before) console.log(`A client posts entries to ${before.url} until the release is done.`);
console.log();

const ref = 'refs/heads/develop';
const progress = new Progress(console.log);
const succeeded = await runWorkflow(
  instance,
  {
    workflow: process.env.PARTIAL ?? '',
    event: {
      name: 'push',
      payload: {
        ref,
        before: push.before,
        after: push.sha,
        repository: { name: 'compta', full_name: 'compta/compta', default_branch: 'main' },
        head_commit: { id: push.sha, message: `feat: version ${push.version}` },
      },
    },
    workspace: push.workspace,
    sha: push.sha,
    id,
    folder,
  },
  (entry) => progress.take(entry),
);

const jobs = [...progress.jobs.values()];
const release = jobs.find(({ name }) => name === RELEASE_JOB);
const window = release ? { start: release.start, end: release.end } : { start: begun, end: begun };
const traffic = await office?.close(window, ENOUGH_REQUESTS);
const cloud = await inventoryOf(instance);
const proven =
  !traffic || traffic.failed.length + traffic.lost.length + traffic.doubled.length === 0;
if (succeeded && cloud.url) writeFileSync(stateFile, JSON.stringify({ url: cloud.url }));

const lines = screen({
  ...cloud,
  succeeded: succeeded && proven,
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
process.exitCode = succeeded && proven ? 0 : 1;
