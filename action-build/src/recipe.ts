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
import type { ImageSource, Inputs } from './inputs.ts';
import { labelsOf, lastingLabels } from './labels.ts';

/**
 * What an image is made of here, as a digest: every file of its context with name, mode and content, its
 * Dockerfile, and what the build is told. Base images are not of it: see bases.ts.
 *
 * @returns undefined for a context that is no folder, as one at an address of Git's.
 */
export async function recipeOf(
  image: ImageSource,
  inputs: Pick<Inputs, 'platforms' | 'version' | 'epoch'>,
  env: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  const { context, file, target, buildArgs } = image;
  if (!existsSync(context)) return undefined;
  const hash = createHash('sha256');
  const labels = lastingLabels(labelsOf(image.name, inputs, env));
  const { platforms, epoch } = inputs;
  hash.update(JSON.stringify({ platforms, epoch, labels, target, buildArgs }));
  await addTree(hash, context, '');
  if (file !== undefined) {
    const real = realpathSync(file);
    await add(hash, real, 'Dockerfile');
    // BuildKit looks there too for what it leaves out.
    if (existsSync(`${real}.dockerignore`)) await add(hash, `${real}.dockerignore`, 'ignored');
  }
  return hash.digest('hex');
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
