import { main } from '../../lib/runner/main.ts';
import { closeToRunner } from '../../lib/runner-access/step.ts';
import { removeWorkspace } from './workspace.ts';

/** Also after a cancelled or killed main step: nothing secret stays, and no open door. */
await main(async (step) => {
  try {
    await removeWorkspace(step.runner);
  } finally {
    await closeToRunner(step);
  }
});
