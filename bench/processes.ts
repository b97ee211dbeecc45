import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { RUNNER_MARK } from '../local-cloud/leftovers.ts';

/**
 * `kill -9` of a process and of all that it started, as if the runner's machine were switched
 * off: also of those that were handed to init, which the runner's mark in their environment tells.
 */
export async function switchOff(root: number, mark: string): Promise<number> {
  const killed = new Set<number>();
  for (;;) {
    const alive = [...familyOf(root, killed), ...marked(mark)];
    if (alive.length === 0) return killed.size;
    for (const pid of alive) {
      killed.add(pid);
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself.
      }
    }
    await sleep(50);
  }
}

/** Living descendants of `root`, itself and those whose parents were just killed included. */
function familyOf(root: number, killed: ReadonlySet<number>): number[] {
  const family = new Set([root, ...killed]);
  const parents = processes();
  for (let before = 0; before !== family.size; ) {
    before = family.size;
    for (const [pid, parent] of parents) if (family.has(parent)) family.add(pid);
  }
  return [...family].filter((pid) => parents.has(pid));
}

/** Process id → its parent's, without those that have ended and await their parent's notice. */
export function processes(): Map<number, number> {
  const found = new Map<number, number>();
  for (const pid of readdirSync('/proc').map(Number).filter(Boolean)) {
    const [state, parent] = read(`/proc/${pid}/stat`).split(') ').pop()?.split(' ') ?? [];
    if (state !== undefined && state !== 'Z' && state !== '') found.set(pid, Number(parent));
  }
  return found;
}

function marked(mark: string): number[] {
  return [...processes().keys()].filter((pid) =>
    read(`/proc/${pid}/environ`).split('\0').includes(`${RUNNER_MARK}=${mark}`),
  );
}

/** A file below /proc; '' when its process has ended. */
export function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // it ended in the meantime
  }
}
