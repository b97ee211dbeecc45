import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { authsOf } from '../../lib/registry/login.ts';
import type { Inputs } from './inputs.ts';

/**
 * A Docker configuration of its own with the login in it, 0600 in a 0700 folder, for base
 * images and the push. The user's configuration is carried over, never changed.
 */
export interface DockerLogin {
  /** What the build gets: DOCKER_CONFIG, and where buildx keeps its builders. */
  env: NodeJS.ProcessEnv;
  authFile: string | undefined;
}

export function writeLogin(
  login: Inputs['login'],
  registry: string,
  folder: string,
  env: NodeJS.ProcessEnv,
): DockerLogin {
  if (!login) return { env, authFile: undefined };
  // A variable that nobody has set is an empty one in a workflow.
  const former = env.DOCKER_CONFIG || join(env.HOME ?? homedir(), '.docker');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const authFile = join(folder, 'config.json');
  const [host = ''] = registry.split('/');
  const known = existing(join(former, 'config.json'));
  const ours = authsOf({ registry: host, ...login });
  writeFileSync(authFile, JSON.stringify(withLogin(known, ours)), { mode: 0o600 });
  for (const folderOfDocker of ['cli-plugins', 'contexts']) {
    const path = join(former, folderOfDocker);
    if (existsSync(path)) symlinkSync(path, join(folder, folderOfDocker));
  }
  const BUILDX_CONFIG = env.BUILDX_CONFIG || join(former, 'buildx');
  return { env: { ...env, DOCKER_CONFIG: folder, BUILDX_CONFIG }, authFile };
}

interface DockerConfig {
  auths?: Record<string, unknown>;
  credHelpers?: Record<string, string>;
  credsStore?: string;
}

/** A store or a helper would be asked in the place of our login, so the other registries alone keep theirs. */
function withLogin(known: DockerConfig, ours: Record<string, unknown>): DockerConfig {
  const { credsStore, credHelpers, ...rest } = known;
  const isOther = (name: string) => !(name in ours);
  const stored = credsStore
    ? Object.keys(known.auths ?? {}).map((name) => [name, credsStore] as const)
    : [];
  const helpers = [...stored, ...Object.entries(credHelpers ?? {})].filter(([name]) =>
    isOther(name),
  );
  return {
    ...rest,
    auths: { ...known.auths, ...ours },
    ...(helpers.length > 0 ? { credHelpers: Object.fromEntries(helpers) } : {}),
  };
}

function existing(file: string): DockerConfig {
  if (!existsSync(file)) return {};
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as DockerConfig;
  } catch {
    // What a parser says of it quotes it, and it has logins.
    throw new Error(`${file} is not JSON: mend or remove it, then log in to its registries again.`);
  }
}
