import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { find } from '@actions/tool-cache';
import { run } from '../../lib/process/run.ts';
import type { Runner } from '../../lib/runner/runner.ts';

/**
 * The folder of a virtual environment with exactly this ansible-core: the tool cache's, else
 * made there by pip. Made in place, as the scripts of an environment carry its path.
 *
 * @param requirements folder with the locked requirements; a version without is taken as it comes
 */
export async function findAnsible(
  version: string,
  requirements: string,
  runner: Runner,
  cancelled: AbortSignal,
): Promise<string> {
  const cached = find('ansible-core', version);
  if (cached) return cached;
  const cache = runner.env.RUNNER_TOOL_CACHE;
  if (!cache)
    throw new Error('RUNNER_TOOL_CACHE is not set, so ansible-core has no place to live.');
  const folder = join(cache, 'ansible-core', version, process.arch);
  return await runner.group(`Install ansible-core ${version}`, async () => {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(dirname(folder), { recursive: true });
    const onLine = (line: string) => runner.info(line);
    await run(['python3', '-m', 'venv', folder], { signal: cancelled, onLine });
    const pip = join(folder, 'bin', 'pip');
    const lock = join(requirements, `ansible-core-${version}.txt`);
    const wanted = existsSync(lock)
      ? ['--require-hashes', '-r', lock]
      : [`ansible-core==${version}`];
    await run([pip, 'install', '--quiet', ...wanted], {
      signal: cancelled,
      onLine,
    });
    writeFileSync(`${folder}.complete`, '');
    return folder;
  });
}
