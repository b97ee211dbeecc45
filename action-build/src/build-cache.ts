import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { keepReachable, linkBlobs } from './layout.ts';

/** Where BuildKit keeps layers between runs: GitHub's cache, the registry, or a folder. */
export type BuildCache =
  | { kind: 'none' }
  | { kind: 'github' }
  | { kind: 'registry'; repository: string }
  | { kind: 'folder'; folder: string };

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
      const { to } = options('', `type=local,dest=${nextFolder(folder)}`);
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
  // Of a run that was killed.
  rmSync(nextFolder(folder), { recursive: true, force: true });
  if (existsSync(join(folder, 'index.json'))) linkBlobs(folder, nextFolder(folder));
}

/** A folder is put in place whole, less what nothing in it names any more: BuildKit itself only ever adds. */
export function settleCache(cache: BuildCache, image: string): void {
  if (cache.kind !== 'folder') return;
  const folder = join(cache.folder, image);
  const next = nextFolder(folder);
  if (!existsSync(join(next, 'index.json'))) return;
  keepReachable(next);
  rmSync(folder, { recursive: true, force: true });
  renameSync(next, folder);
}

function nextFolder(folder: string): string {
  return `${folder}.next`;
}
