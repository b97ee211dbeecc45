import type { Destination } from '../../lib/release/connect.ts';
import {
  circumstancesInputs,
  destinationInputs,
  environmentInput,
} from '../../lib/release/inputs.ts';
import { InputError, optional, required } from '../../lib/runner/inputs.ts';
import type { Runner } from '../../lib/runner/runner.ts';

export interface Inputs {
  environment: string;
  /** The release before, when left out. */
  version: string | undefined;
  reason: string;
  destination: Destination;
  limits: ReturnType<typeof circumstancesInputs>;
}

/** Reads and checks everything before anything is touched. */
export function readInputs(runner: Runner): Inputs {
  const environment = environmentInput(runner);
  const reason = required(runner, 'reason', 'say why, for the audit log and those who read it.');
  const confirm = required(runner, 'confirm', `repeat the environment's name, '${environment}'.`);
  if (confirm !== environment) {
    throw new InputError('confirm', `is '${confirm}': repeat the environment, '${environment}'.`);
  }
  return {
    environment,
    reason,
    version: optional(runner, 'version'),
    destination: destinationInputs(runner),
    limits: circumstancesInputs(runner),
  };
}
