import { spawn } from 'node:child_process';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A program of ours that outlives the command that started it. */
export interface Daemon {
  argv: readonly string[];
  env?: NodeJS.ProcessEnv;
  pidFile: string;
  logFile: string;
}

/** Process ids are reused; the start time within one boot tells ours from a stranger's. */
interface Identity {
  pid: number;
  startedAt: string;
  boot: string;
}

/** Starts the daemon detached from us, its output appended to the log file. */
export async function startDaemon(daemon: Daemon): Promise<number> {
  const [program, ...args] = daemon.argv;
  if (program === undefined) throw new TypeError('a daemon needs at least the name of a program');
  await mkdir(dirname(daemon.pidFile), { recursive: true });
  await mkdir(dirname(daemon.logFile), { recursive: true });
  const log = await open(daemon.logFile, 'a', 0o600);
  try {
    const child = spawn(program, args, {
      detached: true,
      env: daemon.env ?? process.env,
      stdio: ['ignore', log.fd, log.fd],
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (cause) =>
        reject(new Error(`${program} could not be started: is it installed?`, { cause })),
      );
    });
    child.unref();
    const pid = child.pid as number;
    const identity = await identify(pid);
    if (!identity) throw new Error(`${program} ended at once: see ${daemon.logFile}`);
    await writeFile(daemon.pidFile, JSON.stringify(identity));
    return pid;
  } finally {
    await log.close();
  }
}

/** The process id behind a pid file, or null when that very process is gone. */
export async function runningPid(pidFile: string): Promise<number | null> {
  let recorded: Identity;
  try {
    recorded = JSON.parse(await readFile(pidFile, 'utf8')) as Identity;
  } catch {
    return null; // none, or one cut short by a crash: the daemon's own socket then decides
  }
  const now = await identify(recorded.pid);
  return now?.startedAt === recorded.startedAt && now.boot === recorded.boot ? now.pid : null;
}

/** Ends the daemon behind a pid file: SIGTERM, and SIGKILL after `graceMs`. */
export async function stopDaemon(pidFile: string, graceMs: number): Promise<void> {
  const deadline = Date.now() + graceMs;
  let pid = await runningPid(pidFile);
  if (pid !== null) send(pid, 'SIGTERM');
  while (pid !== null) {
    await sleep(50);
    pid = await runningPid(pidFile);
    if (pid !== null && Date.now() > deadline) send(pid, 'SIGKILL');
  }
  await rm(pidFile, { force: true });
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended since we looked.
  }
}

/** Whether a process lives; one that has ended and awaits its parent's notice does not. */
export async function isAlive(pid: number): Promise<boolean> {
  return (await identify(pid)) !== null;
}

async function identify(pid: number): Promise<Identity | null> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The program's name stands in parentheses and may hold spaces: count behind it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, startedAt] = [fields[0], fields[19]];
    if (state === 'Z' || startedAt === undefined) return null;
    const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
    return { pid, startedAt, boot };
  } catch {
    return null;
  }
}
