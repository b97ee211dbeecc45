import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { HetznerError } from '../../lib/hetzner/api.ts';
import { whileAnswered } from '../src/answering.ts';
import { StepFailed } from '../src/failure.ts';

/** What Terraform does meanwhile, and when it is ended by us. (The real one: trouble.test.) */
const session = { inputs: {}, runner: { env: {} } } as never;

/** Ends by itself when it may, or with an error when it is told to. */
const workUntil = (mayEnd: () => boolean) => async (end: AbortSignal) => {
  while (!mayEnd()) {
    await sleep(1, undefined, { signal: end }).catch((cause) => {
      throw new StepFailed(
        'cancelled',
        'The job was cancelled; Terraform was asked to end.',
        cause,
      );
    });
  }
  return 'done';
};

const unanswered = (cause?: Error) =>
  new HetznerError('/locations did not answer (attempt 5)', { passes: true, cause });
const timeout = new DOMException('The operation was aborted due to timeout', 'TimeoutError');

describe('work that Hetzner is asked in', () => {
  it('is ended, and says why, when Hetzner leaves us without an answer too', async () => {
    const work = workUntil(() => false);
    const ending = whileAnswered(session, work, () => Promise.reject(unanswered(timeout)), 5);
    await expect(ending).rejects.toMatchObject({
      reason: 'api-unavailable',
      message: expect.stringMatching(/^Hetzner's API does not answer any more/),
      cause: { cause: unanswered(timeout) },
    });
  });

  it.each<[string, () => Promise<unknown>]>([
    ['answers', async () => ({ locations: [] })],
    ['refuses', () => Promise.reject(new HetznerError('… answered 429', { passes: true }))],
    [
      'is reached by the provider alone, by a proxy',
      () => Promise.reject(unanswered(new TypeError('fetch failed'))),
    ],
  ])('goes on while Hetzner %s', async (_what, answer) => {
    let asked = 0;
    const ask = () => {
      asked += 1;
      return answer();
    };
    const work = workUntil(() => asked > 1);
    expect(await whileAnswered(session, work, ask, 5)).toBe('done');
    const before = asked;
    await sleep(20);
    expect(asked).toBe(before);
  });

  it('fails as it does when it is not us who ended it', async () => {
    const failing = () => Promise.reject(new Error('no such image'));
    await expect(whileAnswered(session, failing, async () => {}, 5)).rejects.toThrow(
      'no such image',
    );
  });
});
