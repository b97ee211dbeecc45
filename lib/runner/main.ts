import { githubRunner, type Runner } from './runner.ts';

/** What a step gets: the runner, and a signal that fires when the job is cancelled. */
export interface Step {
  runner: Runner;
  cancelled: AbortSignal;
}

/**
 * Runs one step of an action: one annotation when it fails, exit code 1, and no process
 * that lingers on a keep-alive socket (nodejs/node#47228).
 *
 * GitHub cancels with SIGINT, SIGTERM 7.5 s later and SIGKILL 2.5 s after that; the first
 * one aborts `cancelled`, and the step ends its children and frees its locks itself.
 */
export async function main(step: (step: Step) => Promise<void>): Promise<void> {
  const runner = githubRunner();
  const cancel = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => cancel.abort(new Error(`The job was cancelled (${signal}).`)));
  }
  try {
    await step({ runner, cancelled: cancel.signal });
  } catch (error) {
    runner.error(messageOf(error));
    process.exitCode = 1;
  }
  await flushed(process.stdout);
  process.exit();
}

/** The message of an error with those of its causes, one per line, outermost first. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined
    ? error.message
    : `${error.message}\nCaused by: ${messageOf(error.cause)}`;
}

function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write('', () => resolve()));
}
