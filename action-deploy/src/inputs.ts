import type { Destination } from '../../lib/release/connect.ts';
import { circumstancesInputs, destinationInputs, wantedInputs } from '../../lib/release/inputs.ts';
import type { Wanted } from '../../lib/release/target.ts';
import { boolean } from '../../lib/runner/inputs.ts';
import type { Runner } from '../../lib/runner/runner.ts';

export interface Inputs {
  wanted: Wanted;
  destination: Destination;
  limits: ReturnType<typeof circumstancesInputs>;
  rollbackOnFailure: boolean;
  dryRun: boolean;
}

/** Reads and checks everything before anything is touched. */
export function readInputs(runner: Runner): Inputs {
  return {
    wanted: wantedInputs(runner),
    destination: destinationInputs(runner),
    limits: circumstancesInputs(runner),
    rollbackOnFailure: boolean(runner, 'rollback-on-failure', true),
    dryRun: boolean(runner, 'dry-run', false),
  };
}
