import type { Runner } from '../../lib/runner/runner.ts';
import { areAsBefore, type Base, basesIn } from './bases.ts';
import { type BuildContext, build } from './build.ts';
import { digestOfBytes, type Former, formerOf, isSame } from './former.ts';
import type { ImageSource, TakenImage } from './inputs.ts';
import { adopt, digestOf } from './layout.ts';
import { recipeOf } from './recipe.ts';
import { type Released, releasedIn } from './released.ts';
import { take } from './take.ts';

export interface Made {
  /** The registry has these very bytes already. */
  unchanged: boolean;
  /** What it was made of, where that is known. */
  madeOf?: Omit<Released, 'digest'>;
}

/**
 * Puts an image into its layout: what the registry has of it, or a new one.
 *
 * One that differs from the release before in labels of its commit only keeps that one's bytes: it is
 * scanned with today's database, and released under the digest that servers already have. Where the
 * cache tells that beforehand, nothing is built, and the layout has the manifests and no layer.
 */
export async function make(
  image: ImageSource | TakenImage,
  layout: string,
  context: BuildContext,
): Promise<Made> {
  const { inputs, authFile, runner, cancelled } = context;
  const { unchangedFrom, registry } = inputs;
  const repository = `${registry}/${image.name}`;
  if ('from' in image) {
    await take(`${repository}:${image.from}`, layout, authFile, cancelled);
    return { unchanged: true };
  }
  const buildIt = async () => {
    const bases = basesIn(await build(image, layout, context));
    for (const each of bases ?? []) adviseDigest(image.name, each, runner);
    return bases;
  };
  if (unchangedFrom === undefined) {
    await buildIt();
    return { unchanged: false };
  }
  const former = await formerOf(`${repository}:${unchangedFrom}`, authFile, cancelled);
  const isKept = inputs.cache.kind === 'folder';
  const recipe = isKept ? await recipeOf(image, inputs, runner.env) : undefined;
  if (former && recipe && (await isMadeAlready(image, recipe, former, context))) {
    adopt(layout, former);
    runner.info(`${image.name} │ not built: made of the same as ${digestOf(layout)}`);
    return { unchanged: true };
  }
  const bases = await buildIt();
  const unchanged = former !== undefined && isSame(layout, former);
  if (unchanged) adopt(layout, former);
  return { unchanged, ...(recipe && bases && { madeOf: { recipe, bases } }) };
}

function adviseDigest(image: string, { reference, digest }: Base, runner: Runner): void {
  if (reference.endsWith(`@${digest}`)) return;
  runner.warning(
    `${image} is built on ${reference}, which may be another image tomorrow: name it ${reference}@${digest}.`,
  );
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
