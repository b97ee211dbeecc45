import { hcloudToken } from '../../lib/hetzner/token.ts';
import { inventoryFrom } from '../../lib/release/inputs.ts';
import { freeAfter } from '../../lib/release/step.ts';
import { required } from '../../lib/runner/inputs.ts';
import { main } from '../../lib/runner/main.ts';
import { closeToRunner } from '../../lib/runner-access/step.ts';
import { privateKeyInput } from '../../lib/ssh/inputs.ts';
import { applicationServers, labelledKeys } from './servers.ts';
import { removeWorkspace } from './workspace.ts';

/** Also after a cancelled or killed main step: nothing secret stays, no lease, and no open door. */
await main(async (step) => {
  const { runner } = step;
  try {
    await removeWorkspace(runner);
    await freeAfter(runner, async () => {
      const servers = inventoryFrom(required(runner, 'terraform-outputs', 'give the file.'));
      // The play may have renewed host keys before it was killed.
      const renewed = await labelledKeys(servers, hcloudToken(runner), step);
      return applicationServers(servers, privateKeyInput(runner), renewed);
    });
  } finally {
    await closeToRunner(step);
  }
});
