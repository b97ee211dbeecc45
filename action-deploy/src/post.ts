import { endDeployment } from '../../lib/release/github.ts';
import { destinationInputs } from '../../lib/release/inputs.ts';
import { freeAfter } from '../../lib/release/step.ts';
import { main } from '../../lib/runner/main.ts';
import { closeToRunner } from '../../lib/runner-access/step.ts';

await main(async (step) => {
  try {
    await freeAfter(step.runner, () => destinationInputs(step.runner));
  } finally {
    // The door is shut first, should GitHub be slow to answer.
    await closeToRunner(step).finally(() => endDeployment(step.runner));
  }
});
