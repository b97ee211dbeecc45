import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Runner } from '../../lib/runner/runner.ts';
import { keepReachable, linkBlobs } from './layout.ts';

/** Where BuildKit keeps layers between runs: GitHub's cache, the registry, or a folder. */
export type BuildCache =
  | { kind: 'none' }
  | { kind: 'github' }
  | { kind: 'registry'; repository: string }
  /** `run` tells this run from others that share the folder. */
  | { kind: 'folder'; folder: string; run: string };

/** No release depends on it: a service that is full, busy or away costs time alone. */
const OPTIONAL = ',ignore-error=true';

/** All stages; what no image has is compressed for nobody but the next build. */
const ALL = ',mode=max,compression=zstd,compression-level=1';

/**
 * Options of buildx for one image. Every image has a scope of its own: sharing BuildKit's
 * default one, each would throw out what the other has just written (moby/buildkit#2885).
 */
export function cacheOptions(cache: BuildCache, image: string): { from: string[]; to: string[] } {
  const options = (from: string, to: string) => ({
    from: [`--cache-from=${from}`],
    to: [`--cache-to=${to}${ALL}`],
  });
  switch (cache.kind) {
    case 'none':
      return { from: [], to: [] };
    case 'github':
      return options(`type=gha,scope=${image}`, `type=gha,scope=${image}${OPTIONAL}`);
    case 'registry': {
      const reference = `type=registry,ref=${cache.repository}/${image}:buildcache`;
      const form = ',image-manifest=true,oci-mediatypes=true';
      return options(reference, `${reference}${form}${OPTIONAL}`);
    }
    case 'folder': {
      const folder = join(cache.folder, image);
      const { to } = options('', `type=local,dest=${nextFolder(folder, cache.run)}${OPTIONAL}`);
      return { from: existsSync(folder) ? [`--cache-from=type=local,src=${folder}`] : [], to };
    }
  }
}

/** Where a folder keeps something beside the layers: no image's name begins with a dot. */
export function besideLayers(
  cache: BuildCache,
  kind: `.${string}`,
  name: string,
): string | undefined {
  return cache.kind === 'folder' ? join(cache.folder, kind, name) : undefined;
}

/** Before a build: what the last one kept is at hand for the next, so that new layers alone are written. */
export function openCache(cache: BuildCache, image: string): void {
  if (cache.kind !== 'folder') return;
  const folder = join(cache.folder, image);
  removeAbandoned(cache.folder, (name) => name.startsWith(`${image}.next-`));
  if (existsSync(join(folder, 'index.json'))) linkBlobs(folder, nextFolder(folder, cache.run));
}

/**
 * A folder is put in place whole, less what nothing in it names any more: BuildKit itself only ever adds. Of a
 * build that failed nothing stays.
 */
export function settleCache(cache: BuildCache, image: string): void {
  if (cache.kind !== 'folder') return;
  const folder = join(cache.folder, image);
  const next = nextFolder(folder, cache.run);
  if (!existsSync(join(next, 'index.json'))) {
    rmSync(next, { recursive: true, force: true });
    return;
  }
  keepReachable(next);
  rmSync(folder, { recursive: true, force: true });
  renameSync(next, folder);
}

function nextFolder(folder: string, run: string): string {
  return `${folder}.next-${run}`;
}

const DAY = 24 * 3_600_000;

/** Removes what runs left that were killed; what is younger may be one's that is under way. */
export function removeAbandoned(folder: string, isOne: (name: string) => boolean): void {
  if (!existsSync(folder)) return;
  for (const path of readdirSync(folder)
    .filter(isOne)
    .map((name) => join(folder, name))) {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found && Date.now() - found.mtimeMs > DAY) rmSync(path, { recursive: true, force: true });
  }
}

/** No release depends on what is kept for the next one. */
export async function orWarn(runner: Runner, keep: () => void | Promise<void>): Promise<void> {
  try {
    await keep();
  } catch (error) {
    runner.warning(`The cache could not be written, so the next run takes longer: ${error}`);
  }
}
