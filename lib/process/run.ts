import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

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
  /** The child has our own terminal and process group, as a shell's would; nothing is captured. */
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

/** Grace between the three signals: what GitHub itself gives a cancelled job. */
const GRACE_MS = 7_500;

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
  const ending = endGracefully(child.pid, options);
  child.stdin?.on('error', () => {}); // a child that ends without reading closes the pipe: its exit code tells
  child.stdin?.end(options.input ?? '');

  try {
    const [stdout, stderr, end] = await Promise.all([
      collect(child.stdout, 'stdout', options.onLine),
      collect(child.stderr, 'stderr', options.onLine),
      ended,
    ]);
    const result = { exitCode: end.code ?? 128, stdout, stderr };
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

/** Watches for the time limit and the abort signal; sends SIGINT, SIGTERM, SIGKILL in turn. */
function endGracefully(pid: number | undefined, options: RunOptions) {
  let why: string | undefined;
  const timers: NodeJS.Timeout[] = [];
  const end = (reason: string) => {
    if (why !== undefined || pid === undefined) return;
    why = reason;
    // With its group, where it has one of its own.
    const target = options.foreground ? pid : -pid;
    send(target, 'SIGINT');
    timers.push(setTimeout(() => send(target, 'SIGTERM'), GRACE_MS));
    timers.push(setTimeout(() => send(target, 'SIGKILL'), GRACE_MS + 2_500));
  };
  const onAbort = () => end('was cancelled');
  options.signal?.addEventListener('abort', onAbort, { once: true });
  const limit = options.timeoutMs;
  if (limit !== undefined) {
    timers.push(setTimeout(() => end(`did not end within ${limit / 1000} s`), limit));
  }
  return {
    reason: () => why,
    disarm() {
      options.signal?.removeEventListener('abort', onAbort);
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

function send(target: number, signal: NodeJS.Signals): void {
  try {
    process.kill(target, signal);
  } catch {
    // It is gone already, which is what the signal was for.
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
