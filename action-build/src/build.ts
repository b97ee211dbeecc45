import { mkdirSync, realpathSync } from 'node:fs';
import { run } from '../../lib/process/run.ts';
import type { Runner } from '../../lib/runner/runner.ts';
import { cacheOptions, openCache, settleCache } from './build-cache.ts';
import { buildArgv, type Labels, layoutOutput } from './commands.ts';
import type { ImageSource, Inputs } from './inputs.ts';

export interface BuildContext {
  inputs: Inputs;
  labels: Labels;
  /** With the login for base images, and SOURCE_DATE_EPOCH. */
  env: NodeJS.ProcessEnv;
  runner: Runner;
  cancelled: AbortSignal;
}

/**
 * Builds an image into the layout folder.
 *
 * A cache in the registry is only read here: what a gate may yet refuse is not to reach it.
 */
export async function build(
  image: ImageSource,
  layout: string,
  context: BuildContext,
): Promise<void> {
  const { cache } = context.inputs;
  const { from, to } = cacheOptions(cache, image.name);
  mkdirSync(layout, { recursive: true });
  openCache(cache, image.name);
  const options = cache.kind === 'registry' ? from : [...from, ...to];
  await buildx(image, layoutOutput(layout), options, context);
  settleCache(cache, image.name);
}

/** Brings the layers of an image that has passed to the registry's cache; they are all at hand. */
export async function saveToRegistryCache(
  image: ImageSource,
  context: BuildContext,
): Promise<void> {
  const { from, to } = cacheOptions(context.inputs.cache, image.name);
  await buildx(image, 'type=cacheonly', [...from, ...to], context);
}

async function buildx(
  image: ImageSource,
  output: string,
  cache: readonly string[],
  { inputs, labels, env, runner, cancelled }: BuildContext,
): Promise<void> {
  // BuildKit does not follow a Dockerfile that is a symbolic link.
  const file = image.file && realpathSync(image.file);
  await run(buildArgv({ ...image, file }, inputs, labels, output, cache), {
    env,
    signal: cancelled,
    onLine: (line) => runner.info(`${image.name} │ ${line}`),
  }).catch((cause: unknown) => {
    throw new Error(`${image.name} could not be built from ${image.context}.`, { cause });
  });
}

/** What tells an image's origin, the same for the same commit. */
export function labelsOf(env: NodeJS.ProcessEnv, epoch: number): Labels {
  const { GITHUB_SERVER_URL = 'https://github.com', GITHUB_REPOSITORY = '' } = env;
  return {
    revision: env.GITHUB_SHA ?? '',
    source: `${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}`,
    created: new Date(epoch * 1000).toISOString(),
  };
}
