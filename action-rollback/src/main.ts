import { connectAll } from '../../lib/release/connect.ts';
import { rollback } from '../../lib/release/deploy.ts';
import { identity } from '../../lib/release/inputs.ts';
import { circumstancesOf, conclude } from '../../lib/release/step.ts';
import type { Step } from '../../lib/runner/main.ts';
import { openToRunner } from '../../lib/runner-access/step.ts';
import { readInputs } from './inputs.ts';

export async function run(step: Step): Promise<void> {
  const { runner } = step;
  const { environment, version, reason, destination, limits } = readInputs(runner);
  await openToRunner(step, { environment, ssh: destination.ssh });
  const { hosts, close } = await connectAll(destination);
  try {
    const how = {
      ...limits,
      ...identity(runner.env),
      ...circumstancesOf(step),
      reason,
      rollbackOnFailure: true,
    };
    const outcome = await rollback(hosts, version, how);
    conclude(runner, 'Rollback', environment, hosts, outcome);
  } finally {
    await close();
  }
}
