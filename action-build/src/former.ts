import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { CommandFailed, run } from '../../lib/process/run.ts';
import { inspectArgv } from './commands.ts';
import { lastingLabels } from './labels.ts';
import { type ImageBytes, imagesIn, labels } from './layout.ts';

/** An image as the registry has it: what a tag names, and the image of each platform in it. */
export interface Former {
  top: string;
  images: ImageBytes[];
}

/** What the registry has by a reference; undefined when it has none, or cannot be asked. */
export async function formerOf(
  reference: string,
  authFile: string | undefined,
  cancelled: AbortSignal,
): Promise<Former | undefined> {
  const inspect = (what: string, config: boolean) =>
    inspectOrNothing(inspectArgv(what, config, authFile), cancelled);
  const top = await inspect(reference, false);
  if (top === undefined) return undefined;
  const repository = reference.replace(/:[^:/]+$/, '');
  const children = childrenOf(top);
  const images: ImageBytes[] = [];
  for (const digest of children ?? [digestOfBytes(top)]) {
    const manifest = children ? await inspect(`${repository}@${digest}`, false) : top;
    const config = await inspect(`${repository}@${digest}`, true);
    if (manifest === undefined || config === undefined) return undefined;
    images.push({ manifest, config });
  }
  return { top, images };
}

/** The digest that the registry has by a reference; undefined as of {@link formerOf}. */
export async function digestAt(
  reference: string,
  authFile: string | undefined,
  cancelled: AbortSignal,
): Promise<string | undefined> {
  const top = await inspectOrNothing(inspectArgv(reference, false, authFile), cancelled);
  return top === undefined ? undefined : digestOfBytes(top);
}

/** Whether the image of a layout differs from the former in volatile labels only. */
export function isSame(layout: string, former: Former): boolean {
  return isDeepStrictEqual(imagesIn(layout).map(substance), former.images.map(substance));
}

/** What an image is, apart from the volatile labels and what they change in digests. */
export function substance({ manifest, config }: ImageBytes): unknown {
  const { layers } = z
    .object({ layers: z.array(z.unknown()).nullable() })
    .parse(JSON.parse(manifest));
  const parsed = z
    .looseObject({ config: z.looseObject({ Labels: labels }).nullish() })
    .parse(JSON.parse(config));
  const Labels = lastingLabels(parsed.config?.Labels ?? {});
  const { created: _time, ...rest } = parsed;
  return { layers, config: { ...rest, config: { ...parsed.config, Labels } } };
}

function childrenOf(manifestJson: string): string[] | undefined {
  return z
    .object({ manifests: z.array(z.object({ digest: z.string() })).optional() })
    .parse(JSON.parse(manifestJson))
    .manifests?.map(({ digest }) => digest);
}

export function digestOfBytes(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

/** There may be none yet, or no way to it: the image is then simply a new one. */
async function inspectOrNothing(
  argv: readonly string[],
  cancelled: AbortSignal,
): Promise<string | undefined> {
  try {
    return (await run(argv, { signal: cancelled, timeoutMs: 60_000 })).stdout;
  } catch (error) {
    if (error instanceof CommandFailed && !cancelled.aborted) return undefined;
    throw error;
  }
}
