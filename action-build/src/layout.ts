import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

/** Reading an OCI image layout: https://github.com/opencontainers/image-spec/blob/main/image-layout.md */

const descriptor = z.object({
  mediaType: z.string(),
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  size: z.number(),
  platform: z
    .object({ os: z.string(), architecture: z.string(), variant: z.string().optional() })
    .optional(),
});
const index = z.object({ schemaVersion: z.literal(2), manifests: z.array(descriptor).min(1) });
type Descriptor = z.infer<typeof descriptor>;

/** The digest that the registry will show: the index's for several platforms, else the manifest's. */
export function digestOf(layout: string): string {
  return topOf(layout).digest;
}

/** "linux/amd64" and the like, with the digest of its manifest. */
export function platformsOf(layout: string, expected: readonly string[]): Map<string, string> {
  const top = topOf(layout);
  if (!top.mediaType.includes('index') && !top.mediaType.includes('manifest.list')) {
    return new Map([[expected[0] ?? 'linux/amd64', top.digest]]);
  }
  const children = index.parse(JSON.parse(blob(layout, top.digest))).manifests;
  return new Map(children.map((child) => [nameOf(child), child.digest]));
}

/**
 * A layout of one platform only, copied next to the whole one: Trivy always scans the
 * first child of an index and ignores `--platform` for layouts without saying so.
 */
export function onePlatform(layout: string, digest: string, folder: string): string {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  cpSync(join(layout, 'blobs'), join(folder, 'blobs'), { recursive: true });
  cpSync(join(layout, 'oci-layout'), join(folder, 'oci-layout'));
  const manifest = blob(layout, digest);
  const { mediaType } = z.object({ mediaType: z.string() }).parse(JSON.parse(manifest));
  const only = { mediaType, digest, size: Buffer.byteLength(manifest) };
  writeFileSync(
    join(folder, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [only] }),
  );
  return folder;
}

function topOf(layout: string): Descriptor {
  const [top] = index.parse(JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8'))).manifests;
  if (!top) throw new Error(`${layout}/index.json names no image.`);
  return top;
}

function blob(layout: string, digest: string): string {
  return readFileSync(join(layout, 'blobs', ...digest.split(':')), 'utf8');
}

function nameOf({ platform }: Descriptor): string {
  if (!platform) return 'unknown';
  return [platform.os, platform.architecture, platform.variant].filter(Boolean).join('/');
}
