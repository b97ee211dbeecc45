import { mkdir, readdir } from 'node:fs/promises';
import { arch, platform } from 'node:os';
import { join } from 'node:path';
import { type Cache, githubCache } from '../../lib/runner/cache.ts';
import { digestOf } from './binding.ts';
import { contentOf } from './content.ts';
import type { Session } from './session.ts';

/** The providers of a job, which two jobs must not share: Terraform does not lock the folder. */
export function pluginFolder(env: NodeJS.ProcessEnv, temp: string): string {
  return env.TF_PLUGIN_CACHE_DIR || join(temp, 'compta-terraform-plugins');
}

/**
 * Runs `init` over the providers that an earlier run with the same lock file downloaded. What
 * comes out of the cache is held to the lock file's sums by Terraform itself, like any download.
 */
export async function withProviders<T>(
  { inputs, runner, env }: Pick<Session, 'inputs' | 'runner' | 'env'>,
  init: () => Promise<T>,
  cache: Cache = githubCache(),
): Promise<T> {
  const folder = pluginFolder(env, runner.temp);
  await mkdir(folder, { recursive: true });
  const lockFile = await contentOf(join(inputs.directory, '.terraform.lock.hcl'));
  // A folder that the workflow names, or that a step before has filled, is nobody's to restore.
  const isOurs = !runner.env.TF_PLUGIN_CACHE_DIR && lockFile !== '';
  const isEmpty = async () => (await readdir(folder)).length === 0;
  const key = `compta-terraform-plugins-${platform()}-${arch()}-${digestOf(lockFile)}`;
  const restored = !isOurs || !(await isEmpty()) || (await cache.restore(key, [folder]));
  const result = await init();
  if (!restored && !(await isEmpty())) await cache.save(key, [folder]);
  return result;
}
