import { CommandFailed, run } from '../../lib/process/run.ts';
import type { Runner } from '../../lib/runner/runner.ts';

/**
 * Makes sure of a builder that can write OCI layouts. Docker's built-in one cannot, so a
 * BuildKit of its own is started then; any other builder that is selected is used as it is.
 */
export async function ensureBuilder(
  env: NodeJS.ProcessEnv,
  runner: Runner,
  cancelled: AbortSignal,
): Promise<void> {
  const { stdout } = await inspect(env, cancelled);
  const driver = /^Driver:\s+(\S+)/m.exec(stdout)?.[1];
  if (driver !== 'docker') return;
  runner.info("Docker's built-in builder cannot write OCI layouts: starting a BuildKit.");
  await run(
    ['docker', 'buildx', 'create', '--driver', 'docker-container', '--use', '--bootstrap'],
    {
      env,
      signal: cancelled,
    },
  );
}

async function inspect(env: NodeJS.ProcessEnv, cancelled: AbortSignal) {
  try {
    return await run(['docker', 'buildx', 'inspect'], { env, signal: cancelled });
  } catch (cause) {
    if (cause instanceof CommandFailed && cause.exitCode !== undefined) {
      throw new Error(
        'No usable builder: install docker buildx, or select one with BUILDX_BUILDER.',
        {
          cause,
        },
      );
    }
    throw cause;
  }
}
