import { destinationInputs } from '../../lib/release/inputs.ts';
import { freeAfter } from '../../lib/release/step.ts';
import { main } from '../../lib/runner/main.ts';
import { closeToRunner } from '../../lib/runner-access/step.ts';

await main(async (step) => {
  try {
    await freeAfter(step.runner, () => destinationInputs(step.runner));
  } finally {
    await closeToRunner(step);
  }
});
