/** Time ran out before something became true. */
export class WaitedTooLong extends Error {
  override readonly name = 'WaitedTooLong';
}

export const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Asks again and again, every 200 ms, until the answer is yes.
 * @param ask is told how many milliseconds are left.
 * @throws WaitedTooLong saying what was waited for.
 */
export async function until(
  what: string,
  timeoutMs: number,
  ask: (left: number) => Promise<boolean>,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await ask(deadline - Date.now()))) {
    if (Date.now() > deadline) {
      throw new WaitedTooLong(`Waited ${timeoutMs / 1000} s for ${what}.`);
    }
    await pause(200);
  }
}

/** Asks again, up to five times in all, while there is silence: on a busy server a word may be lost. */
export async function answered<T>(
  ask: () => Promise<T>,
  isSilence: (answer: T) => boolean,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const answer = await ask();
    if (!isSilence(answer) || attempt === 5) return answer;
    await pause(200);
  }
}
