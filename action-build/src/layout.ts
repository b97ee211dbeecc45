import { createHash } from 'node:crypto';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { VERSION } from './labels.ts';

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
/** `docker build` of old writes null for an image of none. */
export const labels = z.record(z.string(), z.string()).nullish();
/** BuildKit writes null for an image of none. */
const withLayers = z.object({ layers: z.array(descriptor).nullable() });
export type Descriptor = z.infer<typeof descriptor>;

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
  const platforms = new Map(children.map((child) => [nameOf(child), child.digest]));
  // Each is scanned; one that another hides would be pushed all the same.
  if (platforms.size < children.length) {
    throw new Error(`${top.digest} has two images for one platform.`);
  }
  return platforms;
}

/** Those that were asked for and that an image has not. */
export function missingFrom(there: Iterable<string>, expected: readonly string[]): string[] {
  const names = new Set([...there].map(bare));
  return expected.filter((platform) => !names.has(bare(platform)));
}

/** Every ARM of 64 bits is a v8: images seldom say so. */
function bare(platform: string): string {
  return platform.replace(/^(linux\/arm64)\/v8$/, '$1');
}

/**
 * A layout of one platform only, over the same files as the whole one: Trivy always scans the
 * first child of an index and ignores `--platform` for layouts without saying so.
 */
export function onePlatform(layout: string, digest: string, folder: string): string {
  rmSync(folder, { recursive: true, force: true });
  linkBlobs(layout, folder);
  linkSync(join(layout, 'oci-layout'), join(folder, 'oci-layout'));
  writeIndex(folder, descriptorOf(layout, digest));
  return folder;
}

/** Gives a layout of one platform another configuration; false when `change` has none for it. */
export function alter(layout: string, change: (config: string) => string | undefined): boolean {
  const top = topOf(layout);
  const manifest = z
    .looseObject({ config: descriptor })
    .parse(JSON.parse(blob(layout, top.digest)));
  const changed = change(blob(layout, manifest.config.digest));
  if (changed === undefined) return false;
  const config = writeBlob(layout, Buffer.from(changed), manifest.config.mediaType);
  const bytes = Buffer.from(JSON.stringify({ ...manifest, config }));
  writeIndex(layout, writeBlob(layout, bytes, top.mediaType));
  return true;
}

const BLOBS = join('blobs', 'sha256');

/** Gives a folder all blobs of a layout, without a copy. */
export function linkBlobs(layout: string, folder: string): void {
  mkdirSync(join(folder, BLOBS), { recursive: true });
  for (const name of readdirSync(join(layout, BLOBS))) {
    linkSync(join(layout, BLOBS, name), join(folder, BLOBS, name));
  }
}

/** Removes the blobs that neither the index names nor the manifest in it. */
export function keepReachable(layout: string): void {
  const { digest } = topOf(layout);
  const named = `${digest} ${blob(layout, digest)}`.matchAll(/sha256:([0-9a-f]{64})/g);
  const needed = new Set([...named].map(([, hex]) => hex));
  for (const name of readdirSync(join(layout, BLOBS))) {
    if (!needed.has(name)) rmSync(join(layout, BLOBS, name));
  }
}

/** What names a manifest of the layout to others. */
export function descriptorOf(layout: string, digest: string): Descriptor {
  const manifest = blob(layout, digest);
  const { mediaType } = z.object({ mediaType: z.string() }).parse(JSON.parse(manifest));
  return { mediaType, digest, size: Buffer.byteLength(manifest) };
}

/** A manifest and the configuration that it names, as their JSON texts. */
export interface ImageBytes {
  manifest: string;
  config: string;
}

/** The images of a layout, one a platform, in its own order. */
export function imagesIn(layout: string): ImageBytes[] {
  return [...platformsOf(layout, []).values()].map((digest) => {
    const manifest = blob(layout, digest);
    const { config } = z.object({ config: descriptor }).parse(JSON.parse(manifest));
    return { manifest, config: blob(layout, config.digest) };
  });
}

/** Whether all layers are there, and not their manifests alone. */
export function isWhole(layout: string): boolean {
  const manifests = imagesIn(layout).map(({ manifest }) => withLayers.parse(JSON.parse(manifest)));
  return manifests
    .flatMap(({ layers }) => layers ?? [])
    .every(({ digest }) => existsSync(blobPath(layout, digest)));
}

/** The version that an image's label names; empty without one. */
export function versionOf(layout: string): string {
  const [image] = imagesIn(layout);
  const { config } = z
    .object({ config: z.object({ Labels: labels }).nullish() })
    .parse(JSON.parse(image?.config ?? '{}'));
  return config?.Labels?.[VERSION] ?? '';
}

/**
 * Makes the layout one of other manifests over the same layers; `top` is what it then names.
 * Where there is no layout yet, it becomes one without a layer.
 */
export function adopt(
  layout: string,
  { top, images }: { top: string; images: readonly ImageBytes[] },
): void {
  startLayout(layout);
  for (const text of [top, ...images.flatMap(({ manifest, config }) => [manifest, config])]) {
    writeBlob(layout, Buffer.from(text), '');
  }
  const { mediaType } = z.object({ mediaType: z.string() }).parse(JSON.parse(top));
  writeIndex(layout, writeBlob(layout, Buffer.from(top), mediaType));
}

/**
 * Writes a layout of one artifact that is no image: a file with a type, said of `subject`.
 * https://github.com/opencontainers/image-spec/blob/main/manifest.md#guidelines-for-artifact-usage
 */
export function writeArtifact(
  folder: string,
  artifact: { mediaType: string; content: Uint8Array; subject: Descriptor },
): void {
  const { mediaType, content, subject } = artifact;
  startLayout(folder);
  const manifest = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    artifactType: mediaType,
    config: writeBlob(folder, Buffer.from('{}'), 'application/vnd.oci.empty.v1+json'),
    layers: [writeBlob(folder, content, mediaType)],
    subject,
  };
  const bytes = Buffer.from(JSON.stringify(manifest));
  writeIndex(folder, writeBlob(folder, bytes, manifest.mediaType));
}

function startLayout(folder: string): void {
  mkdirSync(join(folder, BLOBS), { recursive: true });
  writeFileSync(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
}

function writeBlob(folder: string, content: Uint8Array, mediaType: string): Descriptor {
  const hex = createHash('sha256').update(content).digest('hex');
  const path = join(folder, BLOBS, hex);
  // BuildKit's are read-only, and this one has the same bytes.
  if (!existsSync(path)) writeFileSync(path, content);
  return { mediaType, digest: `sha256:${hex}`, size: content.byteLength };
}

function writeIndex(folder: string, only: Descriptor): void {
  writeFileSync(
    join(folder, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [only] }),
  );
}

function topOf(layout: string): Descriptor {
  const [top] = index.parse(JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8'))).manifests;
  if (!top) throw new Error(`${layout}/index.json names no image.`);
  return top;
}

function blob(layout: string, digest: string): string {
  return readFileSync(blobPath(layout, digest), 'utf8');
}

function blobPath(layout: string, digest: string): string {
  return join(layout, 'blobs', ...digest.split(':'));
}

function nameOf({ platform }: Descriptor): string {
  if (!platform) return 'unknown';
  return [platform.os, platform.architecture, platform.variant].filter(Boolean).join('/');
}
