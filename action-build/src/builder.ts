import { CommandFailed, run } from '../../lib/process/run.ts';
import type { Runner } from '../../lib/runner/runner.ts';

/** The one that is started here; whoever sits at this machine keeps the one that they have selected. */
const OURS = 'compta';

/**
 * Makes sure of a builder that can write OCI layouts. Docker's built-in one cannot, so a
 * BuildKit of its own is started then; any other builder that is selected is used as it is.
 * @returns the environment that a build finds it by
 */
export async function ensureBuilder(
  env: NodeJS.ProcessEnv,
  runner: Runner,
  cancelled: AbortSignal,
): Promise<NodeJS.ProcessEnv> {
  const selected = await driverOf(env, cancelled).catch((cause: unknown) => {
    const remedy = 'install docker buildx, or select one with BUILDX_BUILDER';
    if (cancelled.aborted || !isRefusal(cause)) throw cause;
    throw new Error(`No usable builder: ${remedy}.`, { cause });
  });
  if (selected !== 'docker') return env;
  const withOurs = { ...env, BUILDX_BUILDER: OURS };
  const isThere = () =>
    driverOf(withOurs, cancelled).then(
      () => true,
      (error: unknown) => {
        if (isRefusal(error)) return false;
        throw error;
      },
    );
  if (await isThere()) return withOurs;
  runner.info("Docker's built-in builder cannot write OCI layouts: starting a BuildKit.");
  const create = ['docker', 'buildx', 'create', '--name', OURS, '--driver', 'docker-container'];
  await run([...create, '--bootstrap'], { env, signal: cancelled }).catch(
    async (error: unknown) => {
      // Another run may have made it in the meantime.
      if (!(await isThere())) throw error;
    },
  );
  return withOurs;
}

/** Of the selected builder. @throws CommandFailed when there is none. */
async function driverOf(
  env: NodeJS.ProcessEnv,
  cancelled: AbortSignal,
): Promise<string | undefined> {
  const { stdout } = await run(['docker', 'buildx', 'inspect'], { env, signal: cancelled });
  return /^Driver:\s+(\S+)/m.exec(stdout)?.[1];
}

/** Whether buildx ran and said no, in the place of being ended or not being there. */
function isRefusal(error: unknown): boolean {
  return error instanceof CommandFailed && error.exitCode !== undefined;
}
