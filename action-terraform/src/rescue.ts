import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../lib/runner/main.ts';
import { statePushArgv } from './argv.ts';
import { locked } from './locking.ts';
import { patiently } from './patience.ts';
import type { Session } from './session.ts';

/** Where Terraform leaves the state of what it did when the backend does not take it. */
const LEFT = 'errored.tfstate';

/**
 * Runs what writes the state. When the backend did not take it, it lies in a file that is gone with
 * a hosted runner: it is pushed once more, and the step fails all the same.
 */
export async function keepingState<T>(session: Session, change: () => Promise<T>): Promise<T> {
  const began = Date.now();
  try {
    return await change();
  } catch (error) {
    const file = join(session.inputs.directory, LEFT);
    const left = await stat(file).catch(() => undefined);
    // An older one is of somebody else's failure.
    if (left && left.mtimeMs >= began) await push(session, file);
    throw error;
  }
}

async function push(session: Session, file: string): Promise<void> {
  const { runner } = session;
  try {
    await patiently(session, () =>
      locked(session, (lockTimeout) => statePushArgv(file, lockTimeout)),
    );
  } catch (error) {
    runner.warning(
      `What was done is told by ${file} alone, as the backend does not take the state: 'terraform state push' it while this machine is there.\n${messageOf(error)}`,
      { title: 'State not saved' },
    );
    return;
  }
  await rm(file);
  runner.warning('The backend took the state at the second attempt only. Plan again and go on.', {
    title: 'State saved',
  });
}
