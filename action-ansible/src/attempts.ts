import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommandFailed, run } from '../../lib/process/run.ts';
import type { Step } from '../../lib/runner/main.ts';
import { playbookArgv } from './command.ts';
import { type Attempt, parseEvents, settled, unreachable } from './events.ts';
import type { Hosts } from './hosts.ts';
import type { Inputs } from './inputs.ts';
import { staysUnreachable } from './problems.ts';

export interface Ansible {
  /** The virtual environment's folder. */
  ansible: string;
  env: NodeJS.ProcessEnv;
  workspace: string;
}

export interface Played {
  attempts: Attempt[];
  failure: CommandFailed | undefined;
  timedOut: boolean;
}

/** Of ansible-playbook: some host was unreachable, whatever failed on others; or a parse error. */
const UNREACHABLE = 4;

/**
 * Runs the playbook, and again on those hosts alone that could not be reached, or on all of them when
 * their loss ended it for others too. A task that failed is never done again: its failure stays,
 * whatever comes of the others.
 */
export async function play(
  inputs: Inputs,
  hosts: Hosts,
  tools: Ansible,
  step: Step,
): Promise<Played> {
  const extraVars = join(tools.workspace, 'extra-vars.json');
  writeFileSync(extraVars, JSON.stringify(inputs.extraVars), { mode: 0o600 });
  const deadline = Date.now() + inputs.timeoutMs;
  const attempts: Attempt[] = [];
  let lasting: CommandFailed | undefined;
  let latest: CommandFailed | undefined;
  let limit = inputs.limit;
  for (let retries = 0; ; retries += 1) {
    const argv = playbookArgv(tools.ansible, inputs, hosts, extraVars, limit);
    const failure = await attempt(argv, inputs.directory, tools, deadline, step);
    const done = parseEvents(takeEvents(tools.env));
    attempts.push(done);
    latest = failure ?? latest;
    const failed = done.results.some(({ outcome }) => outcome === 'failed');
    if (failure && (failed || failure.exitCode !== UNREACHABLE)) lasting ??= failure;
    const timedOut = failure !== undefined && Date.now() >= deadline;
    const lost = unreachable(done.results).filter((entry) => !staysUnreachable(entry));
    const enough = retries === inputs.retryUnreachable || step.cancelled.aborted || timedOut;
    if (failure === undefined || lost.length === 0 || enough) {
      const cured = failure === undefined && unreachable(settled(attempts)).length === 0;
      return { attempts, failure: lasting ?? (cured ? undefined : latest), timedOut };
    }
    const names = lost.map(({ host }) => host);
    const alone = done.complete || lasting !== undefined;
    if (alone) limit = names.join(',');
    const so = alone ? '' : ', and the playbook ended for others too';
    step.runner.info(
      `Trying ${limit ?? 'all hosts'} again: ${names.join(', ')} could not be reached${so}.`,
    );
  }
}

async function attempt(
  argv: string[],
  cwd: string,
  { env }: Ansible,
  deadline: number,
  { runner, cancelled }: Step,
): Promise<CommandFailed | undefined> {
  try {
    await run(argv, {
      cwd,
      env,
      signal: cancelled,
      timeoutMs: Math.max(1, deadline - Date.now()),
      onLine: (line) => runner.info(line),
    });
    return undefined;
  } catch (error) {
    if (error instanceof CommandFailed) return error;
    throw error;
  }
}

/** Reads the callback's file and empties it for the next attempt. */
function takeEvents({ COMPTA_EVENTS_FILE: file = '' }: NodeJS.ProcessEnv): string {
  if (!existsSync(file)) return '';
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, '');
  return text;
}
