import { areAsBefore } from './bases.ts';
import { type BuildContext, build } from './build.ts';
import { digestOfBytes, type Former, formerOf, isSame } from './former.ts';
import type { ImageSource, TakenImage } from './inputs.ts';
import { adopt, digestOf } from './layout.ts';
import { recipeOf } from './recipe.ts';
import { keepReleased, releasedIn } from './released.ts';
import { take } from './take.ts';

/**
 * Puts an image into its layout: what the registry has of it, or a new one.
 *
 * One that differs from the release before in labels of its commit only keeps that one's bytes: it is
 * scanned with today's database, and released under the digest that servers already have. Where the
 * cache tells that beforehand, nothing is built, and the layout has the manifests and no layer.
 *
 * @returns whether the registry has these very bytes already
 */
export async function make(
  image: ImageSource | TakenImage,
  layout: string,
  context: BuildContext,
): Promise<boolean> {
  const { inputs, authFile, cancelled } = context;
  const { cache, unchangedFrom, registry } = inputs;
  const repository = `${registry}/${image.name}`;
  if ('from' in image) {
    await take(`${repository}:${image.from}`, layout, authFile, cancelled);
    return true;
  }
  const former =
    unchangedFrom === undefined
      ? undefined
      : await formerOf(`${repository}:${unchangedFrom}`, authFile, cancelled);
  const recipe =
    cache.kind === 'folder' ? await recipeOf(image, inputs, context.runner.env) : undefined;
  if (former && recipe && (await isMadeAlready(image, recipe, former, context))) {
    adopt(layout, former);
    return true;
  }
  const bases = await build(image, layout, context);
  const isUnchanged = former !== undefined && isSame(layout, former);
  if (isUnchanged) adopt(layout, former);
  if (recipe && bases) keepReleased(cache, image.name, { recipe, bases, digest: digestOf(layout) });
  return isUnchanged;
}

/** Whether the former image was made of the same as this one would be. */
async function isMadeAlready(
  { name }: ImageSource,
  recipe: string,
  former: Former,
  { inputs, authFile, cancelled }: BuildContext,
): Promise<boolean> {
  const released = releasedIn(inputs.cache, name);
  return (
    released !== undefined &&
    released.recipe === recipe &&
    released.digest === digestOfBytes(former.top) &&
    (await areAsBefore(released.bases, authFile, cancelled))
  );
}
