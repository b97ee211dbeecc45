import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { run } from '../lib/process/run.ts';
import { vaultKey } from '../local-cloud/identity.ts';
import type { Instance } from '../local-cloud/instance.ts';
import { fillVault } from '../local-cloud/vault.ts';

/** What a push leaves for the workflow to run on. */
export interface Push {
  /** A clone at the pushed commit: where the workflow runs. */
  workspace: string;
  sha: string;
  before: string;
  version: string;
}

const ADDRESS = 'https://github.com/compta/compta.git';
const VERSION_FILE = 'examples/services/VERSION';
export const VAULT_FILE = 'infra/ansible/inventories/staging/group_vars/all.vault.yml';

/**
 * Makes the next version of the checkout and pushes it to `develop` of a bare repository that
 * stands for the one on GitHub. The clone knows it under GitHub's address, so that whoever asks
 * git for the repository's name gets the same answer as there. In one file the clone is not the
 * checkout: it has a vault of its own, which stays: the checkout's opens only for those who keep its key.
 *
 * `change` may alter files of the clone before the commit, as a developer would.
 */
export async function pushNextVersion(
  checkout: string,
  instance: Instance,
  change: (workspace: string) => void | Promise<void> = () => {},
): Promise<Push> {
  const bare = join(instance.stateDirectory, 'github', 'compta.git');
  const workspace = join(instance.stateDirectory, 'workspace');
  const git = async (...args: string[]) =>
    (await run(['git', '-C', workspace, ...args])).stdout.trim();
  if (!existsSync(join(workspace, '.git'))) {
    await run(['git', 'init', '--quiet', '--bare', '--initial-branch=develop', bare]);
    await run(['git', 'init', '--quiet', '--initial-branch=develop', workspace]);
    await git('config', 'user.name', 'COMPTA developer');
    await git('config', 'user.email', 'developer@compta.tn');
    await git('config', 'commit.gpgsign', 'false');
    await git('remote', 'add', 'origin', ADDRESS);
    await git('config', `url.${bare}.insteadOf`, ADDRESS);
  }
  const before = await git('rev-parse', '--verify', '--quiet', 'HEAD').catch(() => '0'.repeat(40));
  const version = nextVersion(join(workspace, VERSION_FILE), join(checkout, VERSION_FILE));
  await copyTree(checkout, workspace);
  await fillVault(join(workspace, 'infra'), vaultKey(instance));
  writeFileSync(join(workspace, VERSION_FILE), `${version}\n`);
  await change(workspace);
  await git('add', '--all');
  await git('commit', '--quiet', '--message', `feat: version ${version}`);
  await git('push', '--quiet', 'origin', 'HEAD:develop');
  return { workspace, before, version, sha: await git('rev-parse', 'HEAD') };
}

/** The clone and commit of the last push. */
export async function pushedLast(state: string): Promise<Pick<Push, 'workspace' | 'sha'>> {
  const workspace = join(state, 'workspace');
  const { stdout } = await run(['git', '-C', workspace, 'rev-parse', 'HEAD']);
  return { workspace, sha: stdout.trim() };
}

/** The checkout's version for the first push, one more in the last place for every further one. */
function nextVersion(pushed: string, initial: string): string {
  if (!existsSync(pushed)) return readFileSync(initial, 'utf8').trim();
  const [major, minor, patch = '0'] = readFileSync(pushed, 'utf8').trim().split('.');
  return `${major}.${minor}.${Number(patch) + 1}`;
}

/** What git tracks or would track, as it stands in the working tree, without the vault. */
async function copyTree(from: string, to: string): Promise<void> {
  const list = async (folder: string, ...more: string[]) =>
    (await run(['git', '-C', folder, 'ls-files', '-z', ...more])).stdout
      .split('\0')
      .filter(Boolean);
  const files = await list(from, '--cached', '--others', '--exclude-standard');
  const present = files.filter((file) => file !== VAULT_FILE && existsSync(join(from, file)));
  const kept = new Set([...present, VAULT_FILE]);
  // Recursive for a link to a folder, which stays the link that it is.
  const remove = (file: string) => rmSync(join(to, file), { recursive: true, force: true });
  for (const file of await list(to)) if (!kept.has(file)) remove(file);
  for (const file of present) {
    mkdirSync(dirname(join(to, file)), { recursive: true });
    remove(file); // a file that became a link cannot be copied over
    cpSync(join(from, file), join(to, file), { recursive: true, verbatimSymlinks: true });
  }
}
