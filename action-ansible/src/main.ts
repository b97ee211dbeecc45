import { mkdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Step } from '../../lib/runner/main.ts';
import { openToRunner } from '../../lib/runner-access/step.ts';
import { startAgent } from './agent.ts';
import { type Ansible, play } from './attempts.ts';
import { ansibleEnvironment } from './command.ts';
import { installRequirements } from './galaxy.ts';
import { environmentOf, type Hosts, writeHosts } from './hosts.ts';
import { type Inputs, readInputs } from './inputs.ts';
import { findAnsible } from './install.ts';
import { underReleaseLease } from './lease.ts';
import { mitogen } from './mitogen.ts';
import { failureOf } from './problems.ts';
import { report } from './report.ts';
import { labelledKeys } from './servers.ts';
import { findVaults, maskVaults } from './vault.ts';
import { writeVaultPasswords } from './vault-passwords.ts';
import { controlSockets, makeWorkspace, removeWorkspace } from './workspace.ts';

export async function run(step: Step): Promise<void> {
  const { runner, cancelled } = step;
  const inputs = readInputs(runner);
  const servers = environmentOf(inputs);
  await openToRunner(step, servers);
  const passwords = inputs.vaultPasswords.map(({ password }) => password);
  const short = maskVaults(runner, findVaults(inputs), passwords);
  if (short > 0) runner.info(`${short} vault values are too short to be masked.`);
  const ansible = await findAnsible(inputs.version, beside('requirements'), runner, cancelled);
  const workspace = makeWorkspace(runner);
  const agent = await startAgent(inputs.privateKey, workspace);
  runner.saveState('agent', String(agent.pid));
  try {
    const renewed = await labelledKeys(servers, inputs.hcloudToken, step);
    const hosts = writeHosts(inputs, agent, workspace, renewed);
    const env = await environment(inputs, hosts, ansible, workspace, step);
    await underReleaseLease(inputs, servers, renewed, step, (under, lease) =>
      playAndReport(inputs, hosts, { ansible, env: { ...env, ...lease }, workspace }, under),
    );
  } finally {
    agent.stop();
    await removeWorkspace(runner, workspace);
  }
}

async function playAndReport(
  inputs: Inputs,
  hosts: Hosts,
  tools: Ansible,
  step: Step,
): Promise<void> {
  const started = Date.now();
  const played = await play(inputs, hosts, tools, step);
  const failure = failureOf(inputs, played);
  step.runner.output('host-keys-renewed', statSync(hosts.renewedKnownHosts).size > 0);
  report(inputs, played, failure === undefined, Date.now() - started, step.runner);
  if (failure) throw failure;
}

async function environment(
  inputs: Inputs,
  hosts: Hosts,
  ansible: string,
  workspace: string,
  step: Step,
): Promise<NodeJS.ProcessEnv> {
  mkdirSync(controlSockets(workspace), { mode: 0o700 });
  const files = {
    workspace,
    callback: beside('callback'),
    events: join(workspace, 'events.jsonl'),
    vaultIdentities: writeVaultPasswords(inputs.vaultPasswords, workspace),
    hosts,
  };
  const { requirements, directory, hcloudToken, taskTimeoutMs } = inputs;
  const given = { ...step.runner.env, ...(hcloudToken && { HCLOUD_TOKEN: hcloudToken }) };
  const own = ansibleEnvironment(given, ansible, files, taskTimeoutMs);
  const env =
    requirements === undefined
      ? own
      : await installRequirements({ ansible, env: own, directory, requirements }, step);
  const plugins = inputs.strategy.startsWith('mitogen')
    ? await mitogen(ansible, beside('requirements'), step)
    : {};
  return { ...env, ...plugins, ANSIBLE_STRATEGY: inputs.strategy };
}

/** Beside dist/, as a bundle may hold JavaScript only. */
function beside(name: string): string {
  return resolve(process.argv[1] ?? '', '../../..', name);
}
