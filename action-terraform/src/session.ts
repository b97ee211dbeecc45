import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { type RunOptions, type RunResult, run } from '../../lib/process/run.ts';
import type { Runner } from '../../lib/runner/runner.ts';
import { findTool } from '../../lib/tools/find.ts';
import { initArgv, workspaceArgv } from './argv.ts';
import { contentOf } from './content.ts';
import { terraformEnvironment } from './environment.ts';
import { explained, StepFailed } from './failure.ts';
import type { Inputs } from './inputs.ts';
import { patiently } from './patience.ts';
import { pluginFolder, withProviders } from './plugins.ts';
import { refuseOldProvider } from './provider.ts';
import { sideBySide } from './side-by-side.ts';
import { WORK_STATE } from './work.ts';

/** Terraform in one root module, for the length of one step. */
export interface Session {
  inputs: Inputs;
  runner: Runner;
  env: NodeJS.ProcessEnv;
  /** 0700, emptied in post: what must not outlive the job lies here. */
  work: string;
  dataDirectory: string;
  cancelled: AbortSignal;
  terraform(argv: readonly string[], options?: Options): Promise<RunResult>;
}

export interface Options {
  /** Exit codes that are no failure; [0] when left out. */
  allowedExitCodes?: readonly number[];
  /** Prints the lines as they come. */
  live?: boolean;
  /** Over the session's own environment. */
  env?: NodeJS.ProcessEnv;
  /** Ends it as a cancelled job does. */
  end?: AbortSignal;
}

export async function openSession(
  inputs: Inputs,
  runner: Runner,
  cancelled: AbortSignal,
): Promise<Session> {
  const { tool, version, mirror } = inputs;
  const program = join(await findTool({ name: tool, version, mirror }), tool);
  const work = await mkdtemp(join(runner.temp, 'compta-terraform-'));
  runner.saveState(WORK_STATE, work);
  const dataDirectory = join(work, 'data');
  const env = {
    ...terraformEnvironment(inputs, runner.env, dataDirectory),
    TF_PLUGIN_CACHE_DIR: pluginFolder(runner.env, runner.temp),
  };
  return {
    inputs,
    runner,
    env,
    work,
    dataDirectory,
    cancelled,
    async terraform(argv, options = {}) {
      if (cancelled.aborted) throw new StepFailed('cancelled', 'The job was cancelled.');
      const settings: RunOptions = {
        cwd: inputs.directory,
        env: { ...env, ...options.env },
        signal: options.end ? AbortSignal.any([cancelled, options.end]) : cancelled,
      };
      if (options.live) settings.onLine = (line) => runner.info(line);
      if (options.allowedExitCodes) settings.allowedExitCodes = options.allowedExitCodes;
      try {
        return await run([program, ...argv], settings);
      } catch (error) {
        throw explained(error);
      }
    },
  };
}

/**
 * Providers, backend and workspace.
 *
 * @param begun called when Terraform is at work
 * @throws StepFailed 'provider-refused'
 */
export async function initialise(session: Session, begun = () => {}): Promise<void> {
  const { backendConfig, workspace, directory } = session.inputs;
  refuseOldProvider(await contentOf(join(directory, '.terraform.lock.hcl')));
  await withProviders(session, () =>
    patiently(session, () => {
      const init = session.terraform(initArgv(backendConfig));
      begun();
      return init;
    }),
  );
  if (workspace !== 'default') await session.terraform(workspaceArgv(workspace));
}

/**
 * The same and what comes next, with other work beside both, which is begun when Terraform is at its
 * own: the code that it loads would keep Terraform waiting.
 */
export function initialiseBeside<A, B>(
  session: Session,
  next: () => Promise<A>,
  work: () => Promise<B>,
): Promise<[A, B]> {
  const atWork = Promise.withResolvers<void>();
  const first = initialise(session, atWork.resolve).finally(atWork.resolve).then(next);
  return sideBySide(first, atWork.promise.then(work));
}
