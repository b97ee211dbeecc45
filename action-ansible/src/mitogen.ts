import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../lib/process/run.ts';
import type { Step } from '../../lib/runner/main.ts';

const VERSION = '0.3.54';

/**
 * Mitogen's strategies: one Python on each host for the whole run, where Ansible starts one for
 * each task and compiles the module again. From the tool cache, else put there by pip.
 *
 * @param requirements folder with the locked requirements
 * @returns the environment in which Ansible finds them
 */
export async function mitogen(
  ansible: string,
  requirements: string,
  { runner, cancelled }: Step,
): Promise<NodeJS.ProcessEnv> {
  const folder = join(runner.env.RUNNER_TOOL_CACHE ?? '', 'mitogen', VERSION, process.arch);
  if (!existsSync(folder)) {
    const fresh = `${folder}.${process.pid}`;
    mkdirSync(fresh, { recursive: true });
    try {
      const pip = [join(ansible, 'bin', 'python'), '-m', 'pip', '--no-input', '--quiet', 'install'];
      const locked = ['--require-hashes', '-r', join(requirements, 'mitogen.txt')];
      await run([...pip, '--target', fresh, ...locked], {
        signal: cancelled,
        onLine: (line) => runner.info(line),
      });
      // Another run may have been faster.
      if (!existsSync(folder)) renameSync(fresh, folder);
    } finally {
      rmSync(fresh, { recursive: true, force: true });
    }
  }
  return {
    PYTHONPATH: folder,
    ANSIBLE_STRATEGY_PLUGINS: join(folder, 'ansible_mitogen', 'plugins', 'strategy'),
  };
}
