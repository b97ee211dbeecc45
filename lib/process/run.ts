import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { isatty } from 'node:tty';

export interface RunOptions {
  cwd?: string;
  /** The child's whole environment; the parent's when it is left out. */
  env?: NodeJS.ProcessEnv;
  /** Written to standard input, which is closed after it. The way for secrets: never argv. */
  input?: string | Uint8Array;
  /** The child is asked to end (SIGINT, then SIGTERM, then SIGKILL) after so many milliseconds. */
  timeoutMs?: number;
  /** Aborting ends the child in the same three steps. */
  signal?: AbortSignal;
  /** Exit codes that are no failure; [0] when left out. */
  allowedExitCodes?: readonly number[];
  /** Called with each line as it comes. */
  onLine?: (line: string, stream: 'stdout' | 'stderr') => void;
  /**
   * The child has our own terminal and process group, as a shell's would; nothing is captured. In a
   * terminal it is interrupted once and waited for: whoever sits there can do more.
   */
  foreground?: boolean;
}

export interface RunResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** A child that ended with a code we did not allow, was killed, or could not be started. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed';
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  constructor(program: string, reason: string, result: Partial<RunResult>, cause?: unknown) {
    const last = tail(result.stderr || result.stdout || '', 20);
    super(`${program} ${reason}${last === '' ? '' : `:\n${last}`}`, cause ? { cause } : {});
    this.exitCode = result.exitCode;
    this.stdout = result.stdout ?? '';
    this.stderr = result.stderr ?? '';
  }
}

/** Until SIGTERM and SIGKILL. GitHub kills us 10 s after a job is cancelled, and we have to tidy up before. */
const GRACE_MS = 7_500;
const KILL_MS = 9_000;
/** For what a child that has ended leaves unread in its pipes. */
const LINGER_MS = 1_000;

/**
 * The one door to child processes: an argument vector, never a shell.
 *
 * The child leads its own process group, so that a signal meant for us reaches it only
 * when we pass it on and can end its children with it.
 *
 * @throws CommandFailed when it cannot be started, times out, is aborted, or exits with
 * a code outside `allowedExitCodes`.
 */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const [program, ...args] = argv;
  if (program === undefined) throw new TypeError('run() needs at least the name of a program');
  options.signal?.throwIfAborted();

  const child = spawn(program, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    detached: !options.foreground,
    stdio: options.foreground ? 'inherit' : 'pipe',
  });
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>(
    (resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => resolve({ code, signal }));
    },
  );
  const ending = endGracefully(child, options);
  child.stdin?.on('error', () => {}); // a child that ends without reading closes the pipe: its exit code tells
  child.stdin?.end(options.input ?? '');

  try {
    const [stdout, stderr, end] = await Promise.all([
      collect(child.stdout, 'stdout', options.onLine),
      collect(child.stderr, 'stderr', options.onLine),
      ended,
    ]);
    const exitCode = end.code ?? 128 + (end.signal ? constants.signals[end.signal] : 0);
    const result = { exitCode, stdout, stderr };
    const reason = ending.reason();
    if (reason) throw new CommandFailed(program, reason, result, options.signal?.reason);
    if (end.signal) throw new CommandFailed(program, `was killed by ${end.signal}`, result);
    if (!(options.allowedExitCodes ?? [0]).includes(result.exitCode)) {
      throw new CommandFailed(program, `failed with exit code ${result.exitCode}`, result);
    }
    return result;
  } catch (error) {
    if (error instanceof CommandFailed) throw error;
    throw new CommandFailed(program, 'could not be started', {}, error);
  } finally {
    ending.disarm();
  }
}

/** Whether a terminal's keys reach us, and with us whoever is in our process group. */
export function inTerminal(): boolean {
  return [0, 1, 2].some((stream) => isatty(stream));
}

/** Watches for the time limit and the abort signal; sends SIGINT, SIGTERM, SIGKILL in turn. */
function endGracefully(child: ChildProcess, options: RunOptions) {
  const { pid } = child;
  let why: string | undefined;
  const timers: NodeJS.Timeout[] = [];
  const after = (milliseconds: number, act: () => void) => {
    timers.push(setTimeout(act, milliseconds));
  };
  // A process that has left the group may hold them open for as long as it likes.
  const closePipes = () => {
    child.stdout?.destroy();
    child.stderr?.destroy();
  };
  const end = (reason: string) => {
    if (why !== undefined || pid === undefined) return;
    why = reason;
    // With its group, where it has one of its own.
    const target = options.foreground ? pid : -pid;
    send(target, 'SIGINT');
    // Terraform drops its state at a second signal.
    if (options.foreground && inTerminal()) return;
    after(GRACE_MS, () => send(target, 'SIGTERM'));
    after(KILL_MS, () => {
      send(target, 'SIGKILL');
      closePipes();
    });
    const watchGroup = () =>
      after(LINGER_MS, () => {
        if (!send(target, 0)) closePipes();
      });
    if (child.exitCode === null && child.signalCode === null) child.once('exit', watchGroup);
    else watchGroup();
  };
  const onAbort = () => end('was cancelled');
  options.signal?.addEventListener('abort', onAbort, { once: true });
  const limit = options.timeoutMs;
  if (limit !== undefined) after(limit, () => end(`did not end within ${limit / 1000} s`));
  return {
    reason: () => why,
    disarm() {
      options.signal?.removeEventListener('abort', onAbort);
      for (const timer of timers) clearTimeout(timer);
      // What a shell puts into the background takes no SIGINT, and may hold no pipe of ours.
      if (why !== undefined && pid !== undefined && !options.foreground) send(-pid, 'SIGTERM');
    },
  };
}

/** @returns whether anybody was there to get it; 0 only asks. */
function send(target: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(target, signal);
  } catch {
    return false; // It is gone already, which is what the signal was for.
  }
}

async function collect(
  stream: Readable | null,
  name: 'stdout' | 'stderr',
  onLine: RunOptions['onLine'],
): Promise<string> {
  if (stream === null) return '';
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  if (onLine) {
    createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on('line', (line) =>
      onLine(line, name),
    );
  }
  await new Promise((resolve) => stream.once('close', resolve));
  return Buffer.concat(chunks).toString('utf8');
}

function tail(text: string, count: number): string {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}
