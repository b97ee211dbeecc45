import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { run } from '../../lib/process/run.ts';
import type { Step } from '../../lib/runner/main.ts';

export interface Galaxy {
  /** The virtual environment's folder. */
  ansible: string;
  env: NodeJS.ProcessEnv;
  directory: string;
  requirements: string;
}

/**
 * Installs roles and collections once for a content of the requirements: the folder in the tool
 * cache bears its hash. Returns the environment in which Ansible finds them, before its own paths.
 */
export async function installRequirements(galaxy: Galaxy, step: Step): Promise<NodeJS.ProcessEnv> {
  const { runner } = step;
  const text = readFileSync(join(galaxy.directory, galaxy.requirements), 'utf8');
  // The environment too: what it brings itself is not installed again.
  const key = `${realpathSync(galaxy.ansible)}\n${text}`;
  const sum = createHash('sha256').update(key).digest('hex').slice(0, 16);
  const folder = join(runner.env.RUNNER_TOOL_CACHE ?? '', 'ansible-galaxy', sum);
  const env = { ...galaxy.env, ...(await searchPaths(galaxy, folder)) };
  if (existsSync(folder)) {
    runner.info(`${galaxy.requirements} is installed in ${folder}.`);
    return env;
  }
  await runner.group(`Install ${galaxy.requirements}`, async () => {
    // Beside its place, as two runs may install at once and one may be cancelled half-way.
    const fresh = `${folder}.${process.pid}`;
    try {
      mkdirSync(fresh, { recursive: true });
      for (const kind of kinds(text)) await install(kind, galaxy, fresh, step);
      if (!existsSync(folder)) renameSync(fresh, folder);
    } finally {
      rmSync(fresh, { recursive: true, force: true });
    }
  });
  return env;
}

type Kind = 'role' | 'collection';

async function install(kind: Kind, galaxy: Galaxy, folder: string, step: Step): Promise<void> {
  const program = join(galaxy.ansible, 'bin', 'ansible-galaxy');
  await run([program, kind, 'install', '-r', galaxy.requirements, '-p', join(folder, `${kind}s`)], {
    cwd: galaxy.directory,
    env: { ...galaxy.env, ANSIBLE_GALAXY_COLLECTIONS_PATH_WARNING: 'False' },
    signal: step.cancelled,
    onLine: (line) => step.runner.info(line),
  });
}

/** The old form of the file is a list of roles. */
export function kinds(requirements: string): Kind[] {
  const content: unknown = parse(requirements);
  if (Array.isArray(content)) return ['role'];
  return (['role', 'collection'] as const).filter(
    (kind) => content !== null && typeof content === 'object' && `${kind}s` in content,
  );
}

const settings = z.array(z.object({ name: z.string().default(''), value: z.unknown().optional() }));

/** What ansible.cfg says stays, after the folder's own. */
async function searchPaths(galaxy: Galaxy, folder: string): Promise<NodeJS.ProcessEnv> {
  const program = join(galaxy.ansible, 'bin', 'ansible-config');
  const { stdout } = await run([program, 'dump', '--format', 'json'], {
    cwd: galaxy.directory,
    env: galaxy.env,
  });
  const known = settings.parse(JSON.parse(stdout));
  const paths = (name: string, own: string) =>
    [own, ...z.array(z.string()).parse(known.find((entry) => entry.name === name)?.value)].join(
      ':',
    );
  return {
    ANSIBLE_ROLES_PATH: paths('DEFAULT_ROLES_PATH', join(folder, 'roles')),
    ANSIBLE_COLLECTIONS_PATH: paths('COLLECTIONS_PATHS', join(folder, 'collections')),
  };
}
