import { connectAll } from '../../lib/release/connect.ts';
import { deploy, preview } from '../../lib/release/deploy.ts';
import { identity } from '../../lib/release/inputs.ts';
import { previewMarkdown } from '../../lib/release/report.ts';
import { circumstancesOf, conclude } from '../../lib/release/step.ts';
import type { Step } from '../../lib/runner/main.ts';
import { openToRunner } from '../../lib/runner-access/step.ts';
import { readInputs } from './inputs.ts';

export async function run(step: Step): Promise<void> {
  const { runner } = step;
  const { wanted, destination, limits, rollbackOnFailure, dryRun } = readInputs(runner);
  await openToRunner(step, { environment: wanted.environment, ssh: destination.ssh });
  const { hosts, close } = await connectAll(destination);
  try {
    if (dryRun) {
      const { release, plans } = await preview(hosts, wanted);
      runner.output('status', 'unchanged');
      runner.output('version', wanted.version);
      runner.output('hosts', JSON.stringify(hosts.map((host) => host.name)));
      runner.summary(previewMarkdown(wanted.environment, release, plans));
      return;
    }
    const how = {
      ...limits,
      ...identity(runner.env),
      ...circumstancesOf(step),
      rollbackOnFailure,
    };
    const outcome = await deploy(hosts, wanted, how);
    conclude(runner, 'Deploy', wanted.environment, hosts, outcome);
  } finally {
    await close();
  }
}
