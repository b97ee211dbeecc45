import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { base } from './bases.ts';
import { type BuildCache, besideLayers } from './build-cache.ts';

/**
 * What an image was made of, and what it was released as. It lies beside the layers and not in the
 * registry, where whoever may push could have their own image taken for ours.
 */
const released = z.object({ recipe: z.string(), bases: z.array(base), digest: z.string() });
export type Released = z.infer<typeof released>;

/** What is kept of an image; undefined where nothing is. */
export function releasedIn(cache: BuildCache, image: string): Released | undefined {
  const file = fileOf(cache, image);
  if (file === undefined || !existsSync(file)) return undefined;
  return released.safeParse(json(readFileSync(file, 'utf8'))).data;
}

/** Keeps it for the next run. */
export function keepReleased(cache: BuildCache, image: string, kept: Released): void {
  const file = fileOf(cache, image);
  if (file === undefined) return;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, JSON.stringify(kept));
}

const fileOf = (cache: BuildCache, image: string) =>
  besideLayers(cache, '.released', `${image}.json`);

/** Of a run that was killed while it wrote, there may be half of it. */
function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
