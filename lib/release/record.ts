import type { Circumstances } from './bring.ts';
import { releasesToKeep } from './earlier.ts';
import { problemOf } from './evidence.ts';
import { LeaseLostError } from './host.ts';
import type { Manifest } from './manifest.ts';
import { note, step } from './progress.ts';
import type { HostTarget } from './roll.ts';
import * as store from './store.ts';

/** When something was begun, in milliseconds, and when it is done, as the history says it. */
export interface When {
  begun: number;
  at: string;
}

/**
 * Makes the target the current release, adds to history and audit log, prunes.
 * @param previous what the environment ran before, which a host that was away did not.
 */
export async function recordAll(
  targets: readonly HostTarget[],
  previous: Manifest | undefined,
  action: store.HistoryEntry['action'],
  how: Circumstances,
  { begun, at }: When,
  nothing: boolean,
): Promise<void> {
  // Each to its end: what one that fails sets off would meet what the others are still doing.
  const ends = await Promise.allSettled(
    targets.map(async ({ host, target, current, undoes }) => {
      const same = current?.release === target.release;
      if (same && (nothing || action === 'converge')) return store.closeJournal(host);
      await step(how.tell, host.name, `record ${target.release}`, async () => {
        await store.record(host, target.release, {
          at,
          action,
          release: target.release,
          version: target.version,
          previous: previous?.release ?? '',
          ...(undoes !== undefined && { undoes }),
          by: how.by,
          run: how.run,
          ...(how.reason === undefined ? {} : { reason: how.reason }),
          seconds: Math.round((Date.now() - begun) / 1000),
        });
      });
      try {
        await step(how.tell, host.name, 'prune what no rollback needs', async () => {
          const [history, kept] = await Promise.all([
            store.readHistory(host),
            store.keptReleases(host),
          ]);
          await store.prune(host, releasesToKeep(history, how.keep, kept, target.release));
        });
      } catch (error) {
        if (error instanceof LeaseLostError) throw error;
        // The release is through; the next one prunes again.
        note(how.tell, host.name, problemOf(error));
      }
    }),
  );
  const failed = ends.find((end) => end.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
