import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * A process that outlives the command that started it. Its pid file carries the start
 * time too, so that a recycled pid is never taken for it.
 */
export interface Daemon {
  name: string;
  argv: readonly string[];
  env?: NodeJS.ProcessEnv;
  /** Folder of its pid file and log. */
  directory: string;
}

/** Starts it unless it already runs. Returns its pid. */
export function start(daemon: Daemon): number {
  const running = pidOf(daemon);
  if (running !== undefined) return running;
  mkdirSync(daemon.directory, { recursive: true, mode: 0o700 });
  const log = openSync(join(daemon.directory, `${daemon.name}.log`), 'a', 0o600);
  const [program = '', ...args] = daemon.argv;
  const child = spawn(program, args, {
    detached: true,
    stdio: ['ignore', log, log],
    env: daemon.env ?? process.env,
  });
  child.on('error', () => {}); // told apart below: without a pid it never ran
  closeSync(log);
  child.unref();
  if (child.pid === undefined) throw new Error(`${program} could not be started.`);
  writeFileSync(pidFile(daemon), `${child.pid} ${startTime(child.pid) ?? ''}`);
  return child.pid;
}

/** SIGTERM, and SIGKILL when it does not end within `graceMs`. */
export async function stop(
  daemon: Pick<Daemon, 'name' | 'directory'>,
  graceMs = 10_000,
): Promise<void> {
  const pid = pidOf(daemon);
  if (pid !== undefined) {
    process.kill(pid, 'SIGTERM');
    const deadline = Date.now() + graceMs;
    while (pidOf(daemon) !== undefined && Date.now() < deadline) await sleep(50);
    if (pidOf(daemon) !== undefined) process.kill(pid, 'SIGKILL');
  }
  rmSync(pidFile(daemon), { force: true });
}

/** The pid, if the process that we started still runs. */
export function pidOf(daemon: Pick<Daemon, 'name' | 'directory'>): number | undefined {
  const file = pidFile(daemon);
  if (!existsSync(file)) return undefined;
  const [pid, started] = readFileSync(file, 'utf8').split(' ');
  return startTime(Number(pid)) === started ? Number(pid) : undefined;
}

/** Field 22 of /proc/PID/stat, in clock ticks since boot; see proc(5). */
function startTime(pid: number): string | undefined {
  const file = `/proc/${pid}/stat`;
  if (!pid || !existsSync(file)) return undefined;
  const stat = readFileSync(file, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? undefined : fields[19];
}

function pidFile(daemon: Pick<Daemon, 'name' | 'directory'>): string {
  return join(daemon.directory, `${daemon.name}.pid`);
}
