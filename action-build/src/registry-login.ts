import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Inputs } from './inputs.ts';

/**
 * A Docker configuration of its own with the login in it, 0600 in a 0700 folder, for base
 * images and the push. The user's configuration is carried over, never changed.
 */
export interface RegistryLogin {
  /** What the build gets: DOCKER_CONFIG, and where buildx keeps its builders. */
  env: NodeJS.ProcessEnv;
  authFile: string | undefined;
}

export function writeLogin(
  login: Inputs['login'],
  registry: string,
  folder: string,
  env: NodeJS.ProcessEnv,
): RegistryLogin {
  if (!login) return { env, authFile: undefined };
  const former = env.DOCKER_CONFIG ?? join(env.HOME ?? homedir(), '.docker');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const authFile = join(folder, 'config.json');
  const [host = ''] = registry.split('/');
  const auth = Buffer.from(`${login.username}:${login.password}`).toString('base64');
  const known = existing(join(former, 'config.json'));
  const auths = { ...known.auths, [host]: { auth } };
  writeFileSync(authFile, JSON.stringify({ ...known, auths }), { mode: 0o600 });
  if (existsSync(join(former, 'cli-plugins'))) {
    symlinkSync(join(former, 'cli-plugins'), join(folder, 'cli-plugins'));
  }
  const BUILDX_CONFIG = env.BUILDX_CONFIG ?? join(former, 'buildx');
  return { env: { ...env, DOCKER_CONFIG: folder, BUILDX_CONFIG }, authFile };
}

function existing(file: string): { auths?: Record<string, unknown> } {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as object) : {};
}
