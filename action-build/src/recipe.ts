import { createHash, type Hash } from 'node:crypto';
import {
  createReadStream,
  existsSync,
  lstatSync,
  readdirSync,
  readlinkSync,
  realpathSync,
} from 'node:fs';
import { join } from 'node:path';
import { buildArgv, layoutOutput } from './commands.ts';
import type { ImageSource, Inputs } from './inputs.ts';
import { labelsOf, lastingLabels } from './labels.ts';

/**
 * What an image is made of here, as a digest: every file of its context with name, mode and content, its
 * Dockerfile, and how it is built. Base images are not of it: see bases.ts.
 *
 * @returns undefined when that cannot be told: of a context at an address of Git's, with files that are not
 * ours to read (BuildKit may leave them out), or under a policy of sources.
 */
export async function recipeOf(
  image: ImageSource,
  inputs: Pick<Inputs, 'platforms' | 'version' | 'epoch'>,
  env: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  if (env.EXPERIMENTAL_BUILDKIT_SOURCE_POLICY) return undefined;
  const here = { ...image, file: undefined, context: '' };
  const labels = lastingLabels(labelsOf(image.name, inputs, env));
  const argv = buildArgv(here, inputs.platforms, labels, layoutOutput(''), []);
  const hash = createHash('sha256').update(JSON.stringify([inputs.epoch, argv]));
  try {
    await addTree(hash, image.context, '');
    if (image.file !== undefined) await addDockerfile(hash, realpathSync(image.file));
    return hash.digest('hex');
  } catch {
    return undefined;
  }
}

/** With what BuildKit looks for beside it: what is left out, and buildx' policy. */
async function addDockerfile(hash: Hash, file: string): Promise<void> {
  for (const suffix of ['', '.dockerignore', '.rego']) {
    const path = `${file}${suffix}`;
    if (existsSync(path)) await add(hash, realpathSync(path), suffix);
  }
}

async function addTree(hash: Hash, root: string, folder: string): Promise<void> {
  for (const name of readdirSync(join(root, folder)).toSorted()) {
    const entry = join(folder, name);
    await add(hash, join(root, entry), entry);
    if (lstatSync(join(root, entry)).isDirectory()) await addTree(hash, root, entry);
  }
}

/** Its name, mode, length and content, so that no two trees read the same. */
async function add(hash: Hash, path: string, name: string): Promise<void> {
  const found = lstatSync(path);
  const link = found.isSymbolicLink() ? readlinkSync(path) : '';
  hash.update(JSON.stringify([name, found.mode, link, found.isFile() ? found.size : 0]));
  if (!found.isFile()) return;
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
}
