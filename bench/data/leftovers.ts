import { readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { processes, read } from '../processes.ts';

/** How folders of this process begin, so that what it leaves when it is killed is known for that. */
export const folderPrefix = (): string => `compta-bench-${process.pid}-${born(process.pid)}-`;

const OWNED = /^compta-bench-(\d+)-(\d+)-/;

/** Ends what still works in folders of a bench that was killed, its PostgreSQL above all, and removes them. */
export async function removeLeftovers(below = tmpdir()): Promise<void> {
  for (const name of readdirSync(below)) {
    const [, pid = '', since] = OWNED.exec(name) ?? [];
    if (pid === '' || born(Number(pid)) === since) continue;
    const folder = join(below, name);
    await endAllIn(folder);
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
  }
}

/** Scripts clear away behind them at SIGTERM, PostgreSQL ends at once at SIGQUIT. */
async function endAllIn(folder: string): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    const found = [...processes().keys()]
      .map((pid) => ({ pid, command: read(`/proc/${pid}/cmdline`) }))
      .filter(({ command }) => command.includes(`${folder}/`));
    if (found.length === 0) return;
    for (const { pid, command } of found) {
      const polite = /\/postgres\0/.test(command) ? 'SIGQUIT' : 'SIGTERM';
      try {
        process.kill(pid, tries < 20 ? polite : 'SIGKILL');
      } catch {
        // It ended by itself.
      }
    }
    await sleep(200);
  }
}

/** When a process began, as the kernel counts; '' when there is none. */
const born = (pid: number): string =>
  read(`/proc/${pid}/stat`).split(') ').pop()?.split(' ')[19] ?? '';
