import { mkdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../lib/process/run.ts';
import type { Runner } from '../../lib/runner/runner.ts';
import { cacheOptions, openCache, orWarn, settleCache } from './build-cache.ts';
import { buildArgv, layoutOutput } from './commands.ts';
import { type ImageSource, type Inputs, isElsewhere } from './inputs.ts';
import { type Labels, labelsOf } from './labels.ts';

export interface BuildContext {
  inputs: Inputs;
  /** The registry's login, in a file. */
  authFile: string | undefined;
  /** Folder for what is gone at the end. */
  temp: string;
  /** With the login for base images, and SOURCE_DATE_EPOCH. */
  env: NodeJS.ProcessEnv;
  runner: Runner;
  cancelled: AbortSignal;
}

/**
 * Builds an image into the layout folder.
 *
 * A cache in the registry is only read here: what a gate may yet refuse is not to reach it.
 *
 * @returns what buildx writes about it (`--metadata-file`)
 */
export async function build(
  image: ImageSource,
  layout: string,
  context: BuildContext,
): Promise<string> {
  const { cache } = context.inputs;
  const { from, to } = cacheOptions(cache, image.name);
  const metadata = join(context.temp, `${image.name}.metadata.json`);
  mkdirSync(layout, { recursive: true });
  await orWarn(context.runner, () => openCache(cache, image.name));
  const options = [
    ...from,
    ...(cache.kind === 'registry' ? [] : to),
    `--metadata-file=${metadata}`,
  ];
  const labels = labelsOf(image.name, context.inputs, context.runner.env);
  await buildx(image, labels, layoutOutput(layout), options, context).finally(() =>
    orWarn(context.runner, () => settleCache(cache, image.name)),
  );
  return readFileSync(metadata, 'utf8');
}

/** Brings the layers of an image that has passed to the registry's cache; they are all at hand. */
export async function saveToRegistryCache(
  image: ImageSource,
  context: BuildContext,
): Promise<void> {
  const { from, to } = cacheOptions(context.inputs.cache, image.name);
  await buildx(image, {}, 'type=cacheonly', [...from, ...to], context);
}

async function buildx(
  image: ImageSource,
  labels: Labels,
  output: string,
  cache: readonly string[],
  { inputs, env, runner, cancelled }: BuildContext,
): Promise<void> {
  // BuildKit does not follow a Dockerfile that is a symbolic link.
  const file = image.file && !isElsewhere(image.context) ? realpathSync(image.file) : image.file;
  await run(buildArgv({ ...image, file }, inputs.platforms, labels, output, cache), {
    env,
    signal: cancelled,
    onLine: (line) => runner.info(`${image.name} │ ${line}`),
  }).catch((cause: unknown) => {
    throw new Error(`${image.name} could not be built from ${image.context}.`, { cause });
  });
}
