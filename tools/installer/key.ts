import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Pin } from './pins.ts';

/**
 * Names what a pin builds: twelve hex digits over the pin and the files it is built from.
 * The order of a pin's fields does not matter, the links it makes do not either.
 *
 * @param inputs path → content.
 */
export function key(pin: Pin, inputs: ReadonlyMap<string, Uint8Array | string>): string {
  const { after, bin, toolCache, dockerPlugin, ...shape } = pin;
  const hash = createHash('sha256').update(canonical(shape));
  for (const [path, content] of [...inputs].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(`\0${path}\0`).update(createHash('sha256').update(content).digest());
  }
  return hash.digest('hex').slice(0, 12);
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** The files in the `tools` folder that a pin is built from, the recipe itself among them. */
export function inputs(tools: string, name: string, pin: Pin): Map<string, Uint8Array> {
  return read(tools, paths(tools, name, pin));
}

function paths(tools: string, name: string, pin: Pin): string[] {
  switch (pin.kind) {
    case 'go': {
      const own = pin.package === '.' ? [`go/${name}/main.go`] : [];
      return ['installer/go.ts', `go/${name}/go.mod`, `go/${name}/go.sum`, ...own];
    }
    case 'python': {
      const collections = pin.collections
        ? [pin.collections.requirements, 'python/unpack_collections.py']
        : [];
      return ['installer/python.ts', pin.requirements, ...collections];
    }
    case 'script':
      return [...filesIn(tools, name), ...(pin.inputs ?? [])];
    case 'flyway':
    case 'terraform':
      return [`installer/${pin.kind}.ts`];
    case 'debian':
    case 'project':
      return []; // their state is the machine's and the checkout's, not the cache's
  }
}

function read(tools: string, paths: readonly string[]): Map<string, Uint8Array> {
  return new Map(paths.map((path) => [path, readFileSync(join(tools, path))]));
}

/** What a script is built from: not its tests, and not what is written about it. */
function filesIn(tools: string, folder: string): string[] {
  return readdirSync(join(tools, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.md'))
    .map((entry) => relative(tools, join(entry.parentPath, entry.name)))
    .filter((path) => !path.split('/').includes('test'));
}
