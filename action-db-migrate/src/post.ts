import { main } from '../../lib/runner/main.ts';
import { closeToRunner } from '../../lib/runner-access/step.ts';

await main(closeToRunner);
