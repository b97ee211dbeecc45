import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * A hosted runner is thrown away after its job, with every process in it; this machine is not.
 * So each step's environment bears a mark, and what still carries it is ended: before a run,
 * because the one before may have been killed, and after it.
 */
export const RUNNER_MARK = 'COMPTA_RUNNER';

export async function endLeftovers(mark: string): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const found = marked(mark);
    for (const pid of found) kill(pid, signal);
    if (found.length === 0) return;
    await sleep(2_000);
  }
}

function marked(mark: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter(
      (pid) =>
        pid > 0 && pid !== process.pid && environmentOf(pid).includes(`${RUNNER_MARK}=${mark}`),
    );
}

function environmentOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch {
    return []; // it ended in the meantime, or is a thread of the kernel
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone, which is what the signal was for.
  }
}
