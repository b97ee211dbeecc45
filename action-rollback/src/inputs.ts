import type { Destination } from '../../lib/release/connect.ts';
import { askedInputs, circumstancesInputs, destinationInputs } from '../../lib/release/inputs.ts';
import { boolean } from '../../lib/runner/inputs.ts';
import type { Runner } from '../../lib/runner/runner.ts';

export interface Inputs {
  asked: ReturnType<typeof askedInputs>;
  destination: Destination;
  limits: ReturnType<typeof circumstancesInputs>;
  dryRun: boolean;
}

/** Reads and checks everything before anything is touched. */
export function readInputs(runner: Runner): Inputs {
  return {
    asked: askedInputs(runner),
    destination: destinationInputs(runner),
    limits: circumstancesInputs(runner),
    dryRun: boolean(runner, 'dry-run', false),
  };
}
