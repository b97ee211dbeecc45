import { main } from '../../lib/runner/main.ts';
import { removeWorkspace } from './workspace.ts';

/** Also after a cancelled or killed main step: nothing secret stays. */
await main(async ({ runner }) => removeWorkspace(runner));
