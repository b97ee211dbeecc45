import { mkdirSync } from 'node:fs';
import { CommandFailed, run } from '../../lib/process/run.ts';
import { copyArgv } from './commands.ts';

/**
 * Brings an image of the registry into the layout, byte for byte, in the place of a build.
 *
 * @throws Error when the registry has no such image, or cannot be asked
 */
export async function take(
  reference: string,
  layout: string,
  authFile: string | undefined,
  cancelled: AbortSignal,
): Promise<void> {
  mkdirSync(layout, { recursive: true });
  await run(copyArgv({ from: `docker://${reference}`, to: `oci:${layout}` }, authFile), {
    signal: cancelled,
    timeoutMs: 15 * 60_000,
  }).catch((cause: unknown) => {
    const missing = cause instanceof CommandFailed && /manifest unknown/.test(cause.stderr);
    const why = missing
      ? `${reference} is not in the registry, and it is not built anew here.`
      : `${reference} could not be taken from the registry.`;
    throw new Error(why, { cause });
  });
}
