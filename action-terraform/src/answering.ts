import { setTimeout as sleep } from 'node:timers/promises';
import { HetznerError, hetznerApi } from '../../lib/hetzner/api.ts';
import { StepFailed } from './failure.ts';
import type { Session } from './session.ts';

type Ask = (over: AbortSignal) => Promise<unknown>;

/** Between two questions: what is done in less is not asked about. */
const PAUSE_MS = 60_000;

/**
 * Runs what Hetzner's provider is part of. That one waits for an answer without an end, and the state
 * is locked meanwhile: so we ask ourselves now and then, and when the API leaves us without an answer
 * too, the signal that `work` gets is aborted.
 *
 * @param ask rejects with a HetznerError when there is no answer
 * @throws StepFailed 'api-unavailable' for what was ended so
 */
export async function whileAnswered<T>(
  session: Pick<Session, 'inputs' | 'runner'>,
  work: (silent: AbortSignal) => Promise<T>,
  ask = questionOf(session),
  pauseMs = PAUSE_MS,
): Promise<T> {
  const [over, silent] = [new AbortController(), new AbortController()];
  const asking = ask && silence(ask, pauseMs, over.signal).then((why) => silent.abort(why), ended);
  try {
    return await work(silent.signal);
  } catch (error) {
    if (!silent.signal.aborted) throw error;
    throw new StepFailed(
      'api-unavailable',
      "Hetzner's API does not answer any more, so Terraform was asked to end. What was made is in the state: plan again when it answers.",
      error instanceof StepFailed ? error.cause : error,
    );
  } finally {
    over.abort();
    await asking;
  }
}

function questionOf({ inputs, runner }: Pick<Session, 'inputs' | 'runner'>): Ask | undefined {
  const token = inputs.hcloudToken;
  return token ? (over) => hetznerApi(token, runner.env, over).get('/locations') : undefined;
}

/** @returns what we were told in the end, when that was nothing. @throws when it is over */
async function silence(ask: Ask, pauseMs: number, over: AbortSignal): Promise<HetznerError> {
  for (;;) {
    await sleep(pauseMs, undefined, { signal: over });
    const failure = await ask(over).catch((error: unknown) => error);
    over.throwIfAborted();
    if (isSilence(failure)) return failure;
  }
}

/**
 * Connected, and no answer. Whom we do not reach, the provider may reach by a proxy; otherwise it
 * fails by itself.
 */
function isSilence(failure: unknown): failure is HetznerError {
  if (!(failure instanceof HetznerError)) return false;
  return (failure.cause as Error | undefined)?.name === 'TimeoutError';
}

function ended(): void {}
