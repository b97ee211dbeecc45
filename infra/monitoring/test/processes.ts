import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

/** A program of the test's own, and what it wrote so far. */
export interface Program {
  output(): string;
  stop(): Promise<void>;
}

/** Starts a program; its standard output and error are kept for the message of a failure. */
export function start(argv: readonly string[], env: Record<string, string> = {}): Program {
  const [command = '', ...rest] = argv;
  let output = '';
  const child: ChildProcess = spawn(command, rest, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const keep = (chunk: Buffer) => {
    output += chunk.toString();
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  const ended = once(child, 'exit');
  return {
    output: () => output,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/**
 * Asks again until an answer comes that is not undefined.
 * @throws Error with what was waited for, after `seconds`.
 */
export async function until<T>(
  what: string,
  seconds: number,
  ask: () => T | undefined | Promise<T | undefined>,
): Promise<T> {
  const end = Date.now() + seconds * 1000;
  while (Date.now() < end) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await sleep(200);
  }
  throw new Error(`${what}: not within ${seconds} s.`);
}
