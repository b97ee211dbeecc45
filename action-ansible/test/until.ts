import { setTimeout as sleep } from 'node:timers/promises';

/** Waits for at most a minute: the machine may be busy. */
export async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries += 1) {
    if (tries === 600) throw new Error('That did not come about within a minute.');
    await sleep(100);
  }
}
