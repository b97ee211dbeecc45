import { setTimeout as sleep } from 'node:timers/promises';
import { StepFailed } from './failure.ts';
import type { Session } from './session.ts';

/** Between attempts. The provider has tried five times by itself before we see a failure. */
const PAUSES_MS = [2_000, 10_000];

/**
 * Repeats what only reads when the other side was not there: init, plan. Never an apply, whose
 * plan is spent by its first resource: that one fails clearly, and the next plan goes on.
 */
export async function patiently<T>(
  { runner, cancelled }: Pick<Session, 'runner' | 'cancelled'>,
  attempt: () => Promise<T>,
  pauses: readonly number[] = PAUSES_MS,
): Promise<T> {
  for (const pause of pauses) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof StepFailed) || error.reason !== 'api-unavailable') throw error;
      runner.info(`${error.message} Trying again in ${pause / 1000} s.`);
      await sleep(pause, undefined, { signal: cancelled }).catch(() => undefined);
    }
  }
  return attempt();
}
