import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkout } from '../local-cloud/claim.ts';
import type { Instance } from '../local-cloud/instance.ts';
import { type Inventory, inventoryOf } from './cloud.ts';
import type { Verdict } from './ledger.ts';
import { openOffice } from './office.ts';
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
  change?: (workspace: string) => void;
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
  const payload = {
    ref: 'refs/heads/develop',
    before: push.before,
    after: push.sha,
    repository: REPOSITORY,
    head_commit: { id: push.sha, message: `feat: version ${push.version}` },
  };
  const outcome = await runUnderTraffic(instance, print, 'Release to the servers', {
    workflow: '.github/workflows/deploy-staging.yml',
    event: { name: 'push', payload },
    workspace: push.workspace,
    sha: push.sha,
    secrets,
  });
  const cloud = await inventoryOf(instance);
  if (outcome.succeeded && cloud.url) {
    writeFileSync(addressFile(instance), JSON.stringify({ url: cloud.url }));
  }
  return { ...outcome, push, cloud };
}

/** Dispatches `rollback.yml` for staging: back to the release before. */
export async function rollBack(
  instance: Instance,
  print: (line: string) => void,
): Promise<Outcome> {
  const { workspace, sha } = await pushedLast(instance.stateDirectory);
  const inputs = {
    environment: 'staging',
    version: '',
    reason: 'a customer reported a wrong total',
    confirmation: 'staging',
  };
  return runUnderTraffic(instance, print, 'Put the earlier release back', {
    workflow: '.github/workflows/rollback.yml',
    event: {
      name: 'workflow_dispatch',
      payload: { ref: 'refs/heads/develop', repository: REPOSITORY, inputs },
    },
    workspace,
    sha,
  });
}

const REPOSITORY = { name: 'compta', full_name: 'compta/compta', default_branch: 'main' };

/**
 * Runs a workflow; once there is a release, a client posts entries to it until the run is over.
 * `watched` is the job in which requests have to be in flight all the time.
 *
 * @throws Error when the client cannot sign in.
 */
async function runUnderTraffic(
  instance: Instance,
  print: (line: string) => void,
  watched: string,
  run: Omit<WorkflowRun, 'id' | 'folder'>,
): Promise<Outcome> {
  const id = Math.floor(Date.now() / 1000);
  const folder = join(instance.stateDirectory, 'runs', String(id));
  const url = releasedAt(instance);
  const office = url ? await openOffice(instance, url, folder) : undefined;
  if (url) print(`A client posts entries to ${url} until the run is over.`);
  print('');
  const progress = new Progress(print);
  const ticking = setInterval(() => progress.tick(), 5_000);
  const succeeded = await runWorkflow(instance, { ...run, id, folder }, (entry) =>
    progress.take(entry),
  ).finally(() => clearInterval(ticking));
  const jobs = [...progress.jobs.values()];
  const window = jobs.find(({ name }) => name === watched);
  // A run that was refused before it touched a server has nothing to prove.
  const traffic = await office?.close(window ?? { start: 0, end: 0 }, window ? ENOUGH_REQUESTS : 0);
  return { id, folder, succeeded, jobs, traffic };
}

/** Whether every request was answered as due and every entry is in the books exactly once. */
export function lostNothing({ failed, lost, doubled }: Verdict): boolean {
  return failed.length + lost.length + doubled.length === 0;
}

/** Where the last release answers; undefined before the first. */
function releasedAt(instance: Instance): string | undefined {
  const file = addressFile(instance);
  if (!existsSync(file)) return undefined;
  return (JSON.parse(readFileSync(file, 'utf8')) as { url: string }).url;
}

function addressFile(instance: Instance): string {
  return join(instance.stateDirectory, 'demo.json');
}
