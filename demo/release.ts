import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkout } from '../local-cloud/claim.ts';
import type { Instance } from '../local-cloud/instance.ts';
import { type Inventory, inventoryOf } from './cloud.ts';
import type { Verdict } from './ledger.ts';
import { openOffice, type Site } from './office.ts';
import { type JobRecord, Progress } from './progress.ts';
import { type Push, pushedLast, pushNextVersion } from './repository.ts';
import { runWorkflow, type WorkflowRun } from './workflow.ts';

/** Fewer would prove little about what happens between two health checks. */
const ENOUGH_REQUESTS = 20_000;

/** What became of a run. */
export interface Outcome {
  id: number;
  /** Holds the run's log and report. */
  folder: string;
  succeeded: boolean;
  jobs: JobRecord[];
  /** Of the client that posted entries all the time; undefined when there was no release yet. */
  traffic: Verdict | undefined;
}

export interface ReleaseOptions {
  /** May alter files of the clone before the commit, as a developer would. */
  change?: (workspace: string) => void | Promise<void>;
  /** Put in the place of the repository's own, as by someone who mistyped one. */
  secrets?: Record<string, string>;
}

/** Pushes the next version to `develop` and runs `deploy-staging.yml` on it. */
export async function release(
  instance: Instance,
  print: (line: string) => void,
  { change, secrets = {} }: ReleaseOptions = {},
): Promise<Outcome & { push: Push; cloud: Inventory }> {
  const push = await pushNextVersion(checkout, instance, change);
  print(`Pushed ${push.version} (${push.sha.slice(0, 7)}) to develop.`);
  const run = { ...pushed(push, 'develop', 'deploy-staging.yml'), secrets };
  const outcome = await runUnderTraffic(instance, print, RELEASING, run, staging(instance));
  const cloud = await inventoryOf(instance);
  if (outcome.succeeded && cloud.url) {
    writeFileSync(addressFile(instance), JSON.stringify({ url: cloud.url }));
  }
  return { ...outcome, push, cloud };
}

/** The job of a deployment in which requests are in flight all the time. */
export const RELEASING = 'Release to the servers';

/** The run of a workflow that this push to a branch starts. */
export function pushed({ workspace, sha, before, version }: Push, branch: string, file: string) {
  const payload = {
    ref: `refs/heads/${branch}`,
    before,
    after: sha,
    repository: REPOSITORY,
    head_commit: { id: sha, message: `feat: version ${version}` },
  };
  const workflow = `.github/workflows/${file}`;
  return { workflow, event: { name: 'push', payload }, workspace, sha };
}

/** Dispatches `rollback.yml` for staging: back to the release before. */
export async function rollBack(
  instance: Instance,
  print: (line: string) => void,
): Promise<Outcome> {
  const run = await dispatched(instance, 'rollback.yml', {
    environment: 'staging',
    version: '',
    reason: 'a customer reported a wrong total',
    confirmation: 'staging',
  });
  const watched = 'Put the earlier release back';
  return runUnderTraffic(instance, print, watched, run, staging(instance));
}

/** Dispatches a workflow, as a person does on GitHub, while nobody posts entries. */
export async function dispatch(
  instance: Instance,
  print: (line: string) => void,
  workflow: string,
  inputs: Record<string, string> = {},
  matrix?: string,
): Promise<Omit<Outcome, 'traffic'>> {
  const run = await dispatched(instance, workflow, inputs);
  const [id, folder] = numbered(instance);
  return { id, folder, ...(await follow(instance, print, { ...run, id, folder, matrix })) };
}

/** The run of a workflow that a person starts, with these inputs. */
export async function dispatched(
  instance: Instance,
  workflow: string,
  inputs: Record<string, string>,
) {
  const payload = { ref: 'refs/heads/develop', repository: REPOSITORY, inputs };
  return {
    workflow: `.github/workflows/${workflow}`,
    event: { name: 'workflow_dispatch', payload },
    ...(await pushedLast(instance.stateDirectory)),
  };
}

const REPOSITORY = { name: 'compta', full_name: 'compta/compta', default_branch: 'main' };

/**
 * Runs a workflow; where there is a site, a client posts entries to it until the run is over.
 * `watched` is the job in which requests have to be in flight all the time.
 *
 * @throws Error when the client cannot sign in.
 */
export async function runUnderTraffic(
  instance: Instance,
  print: (line: string) => void,
  watched: string,
  run: Omit<WorkflowRun, 'id' | 'folder'>,
  site?: Site,
): Promise<Outcome> {
  const [id, folder] = numbered(instance);
  const office = site ? await openOffice(instance, site, folder) : undefined;
  if (site) print(`A client posts entries to ${site.url} until the run is over.`);
  print('');
  const { succeeded, jobs } = await follow(instance, print, { ...run, id, folder });
  const window = jobs.find(({ name }) => name === watched);
  // A run that was refused before it touched a server has nothing to prove.
  const traffic = await office?.close(window ?? { start: 0, end: 0 }, window ? ENOUGH_REQUESTS : 0);
  return { id, folder, succeeded, jobs, traffic };
}

/** A number for a run, and where what it leaves is kept. */
function numbered(instance: Instance): [number, string] {
  const id = Math.floor(Date.now() / 1000);
  return [id, join(instance.stateDirectory, 'runs', String(id))];
}

/** Runs a workflow and prints how it goes. */
async function follow(
  instance: Instance,
  print: (line: string) => void,
  run: WorkflowRun,
): Promise<Pick<Outcome, 'succeeded' | 'jobs'>> {
  const progress = new Progress(print);
  const ticking = setInterval(() => progress.tick(), 5_000);
  const succeeded = await runWorkflow(instance, run, (entry) => progress.take(entry)).finally(() =>
    clearInterval(ticking),
  );
  return { succeeded, jobs: [...progress.jobs.values()] };
}

/** Whether every request was answered as due and every entry is in the books exactly once. */
export function lostNothing({ failed, lost, doubled }: Verdict): boolean {
  return failed.length + lost.length + doubled.length === 0;
}

/** Where the last release answers; undefined before the first. */
export function releasedAt(instance: Instance): string | undefined {
  const file = addressFile(instance);
  if (!existsSync(file)) return undefined;
  return (JSON.parse(readFileSync(file, 'utf8')) as { url: string }).url;
}

function staging(instance: Instance): Site | undefined {
  const url = releasedAt(instance);
  return url === undefined ? undefined : { url };
}

function addressFile(instance: Instance): string {
  return join(instance.stateDirectory, 'demo.json');
}
