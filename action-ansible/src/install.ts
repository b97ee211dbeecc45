import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { find } from '@actions/tool-cache';
import { run } from '../../lib/process/run.ts';
import type { Runner } from '../../lib/runner/runner.ts';

/**
 * The folder of a virtual environment with exactly this ansible-core: the tool cache's, else
 * made there by pip. Made in a folder of its own, as the scripts of an environment carry its path, which
 * the cache's then leads to: two jobs that come at once do not meet.
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
  const shelf = join(cache, 'ansible-core', version);
  return await runner.group(`Install ansible-core ${version}`, async () => {
    mkdirSync(shelf, { recursive: true });
    const folder = mkdtempSync(join(shelf, 'made-'));
    try {
      const onLine = (line: string) => runner.info(line);
      await run(['python3', '-m', 'venv', folder], { signal: cancelled, onLine });
      const pip = join(folder, 'bin', 'pip');
      const lock = join(requirements, `ansible-core-${version}.txt`);
      const wanted = existsSync(lock)
        ? ['--require-hashes', '-r', lock]
        : [`ansible-core==${version}`];
      await run([pip, 'install', '--quiet', ...wanted], { signal: cancelled, onLine });
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
    const theirs = find('ansible-core', version);
    if (theirs === '') return settle(folder, join(shelf, process.arch));
    rmSync(folder, { recursive: true });
    return theirs;
  });
}

/** As tool-cache's own `cacheDir`, which would copy it. */
function settle(folder: string, place: string): string {
  chmodSync(folder, 0o755);
  const link = `${folder}.link`;
  symlinkSync(basename(folder), link);
  // Of a run that was killed before it was complete.
  rmSync(place, { recursive: true, force: true });
  renameSync(link, place);
  writeFileSync(`${place}.complete`, '');
  return place;
}
