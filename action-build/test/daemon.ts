import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Daemon {
  stop(): Promise<void>;
}

/**
 * Starts a server of the test's own, its output in a file, and waits until it answers.
 *
 * @throws Error with the last of its output when it ends or stays silent for half a minute.
 */
export async function startDaemon(
  argv: readonly string[],
  log: string,
  answers: () => Promise<boolean>,
): Promise<Daemon> {
  const [program = '', ...args] = argv;
  const output = openSync(log, 'a');
  const child = spawn(program, args, { stdio: ['ignore', output, output] });
  closeSync(output);
  let ended = false;
  const end = new Promise<void>((resolve) => {
    for (const event of ['error', 'exit']) {
      child.once(event, () => {
        ended = true;
        resolve();
      });
    }
  });
  const stop = async () => {
    child.kill('SIGTERM');
    const patience = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await end;
    clearTimeout(patience);
  };
  for (let tries = 0; tries < 300 && !ended; tries += 1) {
    if (await answers()) return { stop };
    await sleep(100);
  }
  await stop();
  throw new Error(`${program} does not answer:\n${readFileSync(log, 'utf8').slice(-2_000)}`);
}
