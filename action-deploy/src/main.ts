import { connectAll } from '../../lib/release/connect.ts';
import { deploy } from '../../lib/release/deploy.ts';
import { openDeployment, told } from '../../lib/release/github.ts';
import { identity } from '../../lib/release/inputs.ts';
import { preview } from '../../lib/release/preview.ts';
import {
  circumstancesOf,
  conclude,
  concludeDry,
  concluded,
  leaveBehind,
} from '../../lib/release/step.ts';
import type { Step } from '../../lib/runner/main.ts';
import { openToRunner } from '../../lib/runner-access/step.ts';
import { type Inputs, readInputs } from './inputs.ts';

export async function run(step: Step): Promise<void> {
  const inputs = readInputs(step.runner);
  const { environment, version } = inputs.wanted;
  await concluded(step, { action: 'Deploy', environment, version }, () => carryOut(step, inputs));
}

async function carryOut(
  step: Step,
  { wanted, destination, limits, rollbackOnFailure, dryRun }: Inputs,
): Promise<void> {
  const { runner } = step;
  const { environment, version } = wanted;
  await openToRunner(step, { environment, ssh: destination.ssh });
  const servers = await connectAll(destination);
  const { hosts } = servers;
  try {
    await leaveBehind(runner, servers);
    if (dryRun) return concludeDry(runner, environment, hosts, await preview(hosts, wanted));
    const how = {
      ...limits,
      ...identity(runner.env),
      ...circumstancesOf(step, hosts),
      rollbackOnFailure,
    };
    const deployment = await openDeployment(runner, environment, `Release of ${version}`);
    const outcome = await told(deployment, () => deploy(hosts, wanted, how));
    conclude(runner, 'Deploy', environment, hosts, outcome);
  } finally {
    await servers.close();
  }
}
