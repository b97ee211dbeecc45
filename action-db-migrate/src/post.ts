import { destinationInputs } from '../../lib/release/inputs.ts';
import { freeAfter } from '../../lib/release/step.ts';
import { main } from '../../lib/runner/main.ts';

await main(({ runner }) => freeAfter(runner, () => destinationInputs(runner)));
