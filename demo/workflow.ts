import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { CommandFailed, run } from '../lib/process/run.ts';
import type { Instance } from '../local-cloud/instance.ts';
import { endLeftovers, RUNNER_MARK } from '../local-cloud/leftovers.ts';
import { dotenv, gitHubUrl, type RunnerFiles, runnerFiles } from '../local-cloud/runner-files.ts';
import { withHosts } from './hosts.ts';

export interface WorkflowRun {
  workflow: string;
  event: { name: string; payload: unknown };
  workspace: string;
  sha: string;
  /** Unique: artifacts and locks are told apart by it. */
  id: number;
  /** Where the log is kept. */
  folder: string;
  /** Put in the place of the repository's own. */
  secrets?: Record<string, string>;
  variables?: Record<string, string>;
  /** The one job that is wanted, after those that it needs. */
  job?: string;
  /** The one job of a matrix that is wanted, as `key:value`. */
  matrix?: string | undefined;
  /** File that is /etc/hosts for the runner. */
  hosts?: string;
}

/** A line of act's JSON log, as far as it is of interest. */
export interface LogEntry {
  time: string;
  level: string;
  msg: string;
  job?: string;
  jobID?: string;
  step?: string;
  stage?: string;
  stepResult?: string;
  jobResult?: string;
  /** Set on what the step itself wrote. */
  raw_output?: boolean;
  command?: string;
  /** Of a `summary` command. */
  content?: string;
  /** Of an annotation. */
  arg?: string;
}

/**
 * Runs a workflow file, byte for byte as GitHub would get it, on a runner that is this machine.
 * Returns whether it succeeded; every line of the log goes through `onEntry`.
 */
export async function runWorkflow(
  instance: Instance,
  workflow: WorkflowRun,
  onEntry: (entry: LogEntry) => void,
  signal?: AbortSignal,
): Promise<boolean> {
  mkdirSync(workflow.folder, { recursive: true });
  const eventFile = join(workflow.folder, 'event.json');
  writeFileSync(eventFile, JSON.stringify(workflow.event.payload));
  const log = join(workflow.folder, 'log.jsonl');
  await freshRunner(instance);
  await reportRun(instance, workflow, 'in_progress', null);
  const succeeded = await act(instance, workflow, eventFile, log, onEntry, signal);
  await freshRunner(instance);
  await reportRun(instance, workflow, 'completed', succeeded ? 'success' : 'failure');
  return succeeded;
}

async function act(
  instance: Instance,
  workflow: WorkflowRun,
  eventFile: string,
  log: string,
  onEntry: (entry: LogEntry) => void,
  signal?: AbortSignal,
): Promise<boolean> {
  const argv = [
    'act',
    workflow.event.name,
    '--workflows',
    workflow.workflow,
    '--eventpath',
    eventFile,
    '--platform',
    'ubuntu-24.04=-self-hosted',
    '--no-cache-server',
    '--concurrent-jobs',
    '2',
    '--secret-file',
    replaced(instance, 'secrets', workflow),
    '--var-file',
    replaced(instance, 'variables', workflow),
    '--env-file',
    environmentFile(instance, workflow),
    '--json',
    ...(workflow.job === undefined ? [] : ['--job', workflow.job]),
    ...(workflow.matrix === undefined ? [] : ['--matrix', workflow.matrix]),
  ];
  try {
    await run(withHosts(workflow.hosts, argv), {
      cwd: workflow.workspace,
      env: { ...process.env, XDG_CACHE_HOME: runnerFolder(instance) },
      ...(signal ? { signal } : {}),
      onLine(line) {
        const entry = parsed(line);
        if (tellsSecret(entry)) return;
        appendFileSync(log, `${line}\n`, { mode: 0o600 });
        if (entry) onEntry(entry);
      },
    });
    return true;
  } catch (error) {
    if (error instanceof CommandFailed && error.exitCode !== undefined) return false;
    throw error;
  }
}

/** Of two lines with one name act takes the later one. */
function replaced(
  instance: Instance,
  kind: Exclude<keyof RunnerFiles, 'environment'>,
  { folder, [kind]: values = {} }: WorkflowRun,
): string {
  const own = runnerFiles(instance)[kind];
  if (Object.keys(values).length === 0) return own;
  const file = join(folder, kind);
  writeFileSync(file, readFileSync(own, 'utf8') + dotenv(values), { mode: 0o600 });
  return file;
}

/** The runner's environment, with a run of its own and the token of its artifacts. */
function environmentFile(instance: Instance, { id, folder }: WorkflowRun): string {
  const file = join(folder, 'env');
  const claims = { scp: `Actions.Results:${id}:${id}` };
  const token = ['{}', JSON.stringify(claims), ''].map((part) =>
    Buffer.from(part).toString('base64url'),
  );
  const own = [
    `GITHUB_RUN_ID=${id}`,
    `GITHUB_RUN_NUMBER=${id}`,
    `ACTIONS_RUNTIME_TOKEN=${token.join('.')}`,
    `${RUNNER_MARK}=${instance.stateDirectory}`,
    '',
  ].join('\n');
  writeFileSync(file, readFileSync(runnerFiles(instance).environment, 'utf8') + own, {
    mode: 0o600,
  });
  return file;
}

/** GitHub knows which runs are alive: what proves that a lock's owner is dead. */
async function reportRun(
  instance: Instance,
  { id, sha, event, workflow }: WorkflowRun,
  status: 'in_progress' | 'completed',
  conclusion: 'success' | 'failure' | null,
): Promise<void> {
  const run = { id, status, conclusion, head_sha: sha, event: event.name, path: workflow };
  await fetch(`${gitHubUrl(instance)}/_runs`, { method: 'PUT', body: JSON.stringify(run) });
}

/** act keeps workspaces and temporary files below its XDG_CACHE_HOME. */
function runnerFolder(instance: Instance): string {
  return join(instance.stateDirectory, 'runner');
}

/** A runner without any trace of a run, and with a full tool cache, as a hosted one is. */
async function freshRunner(instance: Instance): Promise<void> {
  await endLeftovers(instance.stateDirectory);
  const folder = runnerFolder(instance);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, 'act'), { recursive: true, mode: 0o700 });
  symlinkSync(process.env.RUNNER_TOOL_CACHE ?? '', join(folder, 'act', 'tool_cache'));
}

/** What a step masks: act logs the command as it was given, GitHub's runner does not. */
export function tellsSecret(entry: LogEntry | undefined): boolean {
  return entry?.command === 'add-mask';
}

function parsed(line: string): LogEntry | undefined {
  try {
    return JSON.parse(line) as LogEntry;
  } catch {
    return undefined;
  }
}
