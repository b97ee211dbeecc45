import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CommandFailed, run as runProcess } from '../../lib/process/run.ts';
import type { Step } from '../../lib/runner/main.ts';
import type { Runner } from '../../lib/runner/runner.ts';
import { startAgent } from './agent.ts';
import { ansibleEnvironment, playbookArgv } from './command.ts';
import { readEvents, recap, settled, type TaskResult, unreachableHosts } from './events.ts';
import { type Hosts, writeHosts } from './hosts.ts';
import { type Inputs, readInputs } from './inputs.ts';
import { findAnsible } from './install.ts';
import { summary, totals } from './summary.ts';
import { maskVault, vaultFiles } from './vault.ts';
import { controlSockets, makeWorkspace, removeWorkspace } from './workspace.ts';

export async function run(step: Step): Promise<void> {
  const { runner, cancelled } = step;
  const inputs = readInputs(runner);
  const vaults = vaultFiles(inputs.inventory);
  if (vaults.length > 0 && inputs.vaultPassword === undefined) {
    throw new Error(
      `Input 'vault-password' is missing: ${vaults.join(', ')} cannot be read without.`,
    );
  }
  const ansible = await findAnsible(inputs.version, runner, cancelled);
  const workspace = makeWorkspace(runner);
  const agent = await startAgent(inputs.privateKey, workspace);
  runner.saveState('agent', String(agent.pid));
  try {
    const hosts = writeHosts(inputs, agent, workspace);
    const env = environment(inputs, hosts, ansible, workspace, runner);
    const short = await maskVault(runner, vaults, join(ansible, 'bin', 'ansible-vault'), env);
    if (short > 0) runner.info(`${short} vault values are too short to be masked.`);
    await installRequirements(inputs, ansible, env, step);
    await play(inputs, hosts, { ansible, env, workspace }, step);
  } finally {
    agent.stop();
    await removeWorkspace(runner, workspace);
  }
}

function environment(
  inputs: Inputs,
  hosts: Hosts,
  ansible: string,
  workspace: string,
  runner: Runner,
): NodeJS.ProcessEnv {
  const password = join(workspace, 'vault-password');
  if (inputs.vaultPassword) writeFileSync(password, inputs.vaultPassword, { mode: 0o600 });
  mkdirSync(controlSockets(workspace), { mode: 0o700 });
  return ansibleEnvironment(runner.env, ansible, {
    workspace,
    // Beside dist/, as a bundle may hold JavaScript only.
    callback: resolve(process.argv[1] ?? '', '../../../callback'),
    events: join(workspace, 'events.jsonl'),
    vaultPassword: inputs.vaultPassword ? password : undefined,
    sshConfig: hosts.sshConfig,
  });
}

async function installRequirements(
  inputs: Inputs,
  ansible: string,
  env: NodeJS.ProcessEnv,
  { runner, cancelled }: Step,
): Promise<void> {
  if (inputs.requirements === undefined) return;
  const galaxy = join(ansible, 'bin', 'ansible-galaxy');
  await runProcess([galaxy, 'collection', 'install', '--requirements-file', inputs.requirements], {
    cwd: inputs.directory,
    env,
    signal: cancelled,
    onLine: (line) => runner.info(line),
  });
}

interface Ansible {
  ansible: string;
  env: NodeJS.ProcessEnv;
  workspace: string;
}

/** Runs the playbook, and again on the hosts alone that could not be reached. */
async function play(inputs: Inputs, hosts: Hosts, tools: Ansible, step: Step): Promise<void> {
  const { runner } = step;
  const started = Date.now();
  const events = join(tools.workspace, 'events.jsonl');
  let failure = await attempt(inputs, hosts, tools, inputs.limit, step);
  let results = readEvents(events);
  for (let retry = 1; retry <= inputs.retryUnreachable; retry += 1) {
    const lost = unreachableHosts(results);
    if (lost.length === 0 || step.cancelled.aborted) break;
    runner.info(`Trying ${lost.join(', ')} again: they could not be reached.`);
    failure = await attempt(inputs, hosts, tools, lost.join(','), step);
    results = readEvents(events);
  }
  const final = settled(results).map((entry) => redacted(entry, runner));
  report(inputs, final, failure === undefined, Date.now() - started, runner);
  if (failure) throw new Error(sentenceOf(inputs, final), { cause: reasonOf(failure, final) });
}

async function attempt(
  inputs: Inputs,
  hosts: Hosts,
  { ansible, env, workspace }: Ansible,
  limit: string | undefined,
  { runner, cancelled }: Step,
): Promise<CommandFailed | undefined> {
  const extraVars = join(workspace, 'extra-vars.json');
  writeFileSync(extraVars, JSON.stringify(inputs.extraVars), { mode: 0o600 });
  try {
    await runProcess(playbookArgv(ansible, inputs, hosts, extraVars, limit), {
      cwd: inputs.directory,
      env,
      signal: cancelled,
      timeoutMs: inputs.timeoutMs,
      onLine: (line) => runner.info(line),
    });
    return undefined;
  } catch (error) {
    if (error instanceof CommandFailed) return error;
    throw error;
  }
}

/** Before anything is escaped for Markdown or JSON, where a secret would look different. */
function redacted(entry: TaskResult, runner: Runner): TaskResult {
  return { ...entry, task: runner.redact(entry.task), message: runner.redact(entry.message) };
}

function report(
  inputs: Inputs,
  results: readonly TaskResult[],
  ok: boolean,
  milliseconds: number,
  runner: Runner,
): void {
  const hosts = recap(results);
  const { ok: fine, changed, failed, unreachable } = totals(hosts);
  const failedTasks = results
    .filter(({ outcome }) => outcome === 'failed')
    .map(({ host, task, path, line, message }) => ({ host, task, path, line, message }));
  for (const [name, value] of Object.entries({ ok: fine, changed, failed, unreachable })) {
    runner.output(name, value);
  }
  runner.output('hosts', JSON.stringify(hosts));
  runner.output('failed-tasks', JSON.stringify(failedTasks));
  runner.output('drift', inputs.check && changed > 0);
  runner.summary(
    summary(
      { playbook: inputs.playbook, check: inputs.check, results, ok, milliseconds },
      inputs.directory,
    ),
  );
}

function sentenceOf(inputs: Inputs, results: readonly TaskResult[]): string {
  const lines = results
    .filter(({ outcome }) => outcome === 'failed' || outcome === 'unreachable')
    .map(({ host, task, path, line, message, outcome }) =>
      outcome === 'unreachable'
        ? `${host} could not be reached: ${message}`
        : `${host}: ${task} (${path}:${line}): ${message}`,
    );
  return [`${inputs.playbook} failed.`, ...new Set(lines)].join('\n');
}

/** Ansible's own last lines, where no task says what was wrong. */
function reasonOf(failure: CommandFailed, results: readonly TaskResult[]): Error | undefined {
  const told = results.some(({ outcome }) => outcome === 'failed' || outcome === 'unreachable');
  return told ? undefined : failure;
}
