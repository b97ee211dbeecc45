import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { CommandFailed, run } from '../../lib/process/run.ts';
import { inspectArgv } from './commands.ts';
import { adopt, type ImageBytes, imagesIn } from './layout.ts';

/** These differ with every commit and change nothing of what runs. */
const VOLATILE = ['version', 'revision', 'created'].map(
  (name) => `org.opencontainers.image.${name}`,
);

/**
 * Where an image differs from the one that `reference` names in such labels only, that one's
 * bytes take its place in the layout: it is scanned (with today's database) and released under
 * the digest that servers already have.
 *
 * @returns whether it is the same image
 */
export async function keepFormer(
  layout: string,
  reference: string,
  authFile: string | undefined,
  cancelled: AbortSignal,
): Promise<boolean> {
  const inspect = (what: string, config: boolean) =>
    inspectOrNothing(inspectArgv(what, config, authFile), cancelled);
  const top = await inspect(reference, false);
  if (top === undefined) return false;
  const repository = reference.replace(/:[^:/]+$/, '');
  const children = childrenOf(top);
  const former: ImageBytes[] = [];
  for (const digest of children ?? [digestOfBytes(top)]) {
    const manifest = children ? await inspect(`${repository}@${digest}`, false) : top;
    const config = await inspect(`${repository}@${digest}`, true);
    if (manifest === undefined || config === undefined) return false;
    former.push({ manifest, config });
  }
  const same = isDeepStrictEqual(imagesIn(layout).map(substance), former.map(substance));
  if (same) adopt(layout, top, former);
  return same;
}

/** What an image is, apart from the volatile labels and what they change in digests. */
export function substance({ manifest, config }: ImageBytes): unknown {
  const { layers } = z.object({ layers: z.array(z.unknown()) }).parse(JSON.parse(manifest));
  const parsed = z
    .looseObject({ config: z.looseObject({ Labels: z.record(z.string(), z.string()).optional() }) })
    .parse(JSON.parse(config));
  const labels = Object.entries(parsed.config.Labels ?? {}).filter(
    ([name]) => !VOLATILE.includes(name),
  );
  const { created: _time, ...rest } = parsed;
  return { layers, config: { ...rest, config: { ...parsed.config, Labels: labels.toSorted() } } };
}

function childrenOf(manifestJson: string): string[] | undefined {
  return z
    .object({ manifests: z.array(z.object({ digest: z.string() })).optional() })
    .parse(JSON.parse(manifestJson))
    .manifests?.map(({ digest }) => digest);
}

function digestOfBytes(text: string): string {
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
