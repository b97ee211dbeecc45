import { connectAll } from '../../lib/release/connect.ts';
import { openDeployment, told } from '../../lib/release/github.ts';
import { identity } from '../../lib/release/inputs.ts';
import { previewRollback, rollback } from '../../lib/release/rollback.ts';
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
  const { environment, version = '' } = inputs.asked;
  await concluded(step, { action: 'Rollback', environment, version }, () => carryOut(step, inputs));
}

async function carryOut(step: Step, { asked, destination, limits, dryRun }: Inputs): Promise<void> {
  const { runner } = step;
  const { environment, reason, version = 'the release before' } = asked;
  await openToRunner(step, { environment, ssh: destination.ssh });
  const servers = await connectAll(destination);
  const { hosts } = servers;
  try {
    await leaveBehind(runner, servers);
    if (dryRun) return concludeDry(runner, environment, hosts, await previewRollback(hosts, asked));
    const how = {
      ...limits,
      ...identity(runner.env),
      ...circumstancesOf(step, hosts),
      reason,
      rollbackOnFailure: true,
    };
    const what = `Rollback to ${version}: ${reason}`;
    const deployment = await openDeployment(runner, environment, what);
    const outcome = await told(deployment, () => rollback(hosts, asked, how));
    conclude(runner, 'Rollback', environment, hosts, outcome);
  } finally {
    await servers.close();
  }
}
