import { rm } from 'node:fs/promises';
import { main } from '../../lib/runner/main.ts';
import { WORK_STATE } from './work.ts';

/** Takes away what the step left on disk: the plan in clear, provider data, outputs. */
await main(async ({ runner }) => {
  const work = runner.state(WORK_STATE);
  if (work !== '') await rm(work, { recursive: true, force: true });
});
