import { destinationOf } from '../../lib/release/connect.ts';
import { inventoryFrom } from '../../lib/release/inputs.ts';
import { freeAfter } from '../../lib/release/step.ts';
import { required } from '../../lib/runner/inputs.ts';
import { main } from '../../lib/runner/main.ts';
import { closeToRunner } from '../../lib/runner-access/step.ts';
import { privateKeyInput } from '../../lib/ssh/inputs.ts';
import { removeWorkspace } from './workspace.ts';

/** Also after a cancelled or killed main step: nothing secret stays, no lease, and no open door. */
await main(async (step) => {
  const { runner } = step;
  try {
    await removeWorkspace(runner);
    await freeAfter(runner, () => {
      const servers = inventoryFrom(required(runner, 'terraform-outputs', 'give the file.'));
      return destinationOf(servers, privateKeyInput(runner), 'skip');
    });
  } finally {
    await closeToRunner(step);
  }
});
