import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { digestOf, isWhole, missingFrom, onePlatform, platformsOf } from '../src/layout.ts';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
let layout: string;

beforeEach(() => {
  layout = mkdtempSync(join(tmpdir(), 'compta-layout-'));
  mkdirSync(join(layout, 'blobs', 'sha256'), { recursive: true });
  writeFileSync(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
});

afterEach(() => rmSync(layout, { recursive: true }));

test('of one platform: the manifest is what the registry will show', () => {
  const image = manifest('amd64');
  indexOf(layout, [image]);
  expect(digestOf(layout)).toBe(image.digest);
  expect(platformsOf(layout, ['linux/arm64'])).toEqual(new Map([['linux/arm64', image.digest]]));
});

test('of several platforms: the index is what the registry will show', () => {
  const amd64 = { ...manifest('amd64'), platform: { os: 'linux', architecture: 'amd64' } };
  const armv7 = {
    ...manifest('arm'),
    platform: { os: 'linux', architecture: 'arm', variant: 'v7' },
  };
  const top = blob({ schemaVersion: 2, mediaType: INDEX, manifests: [amd64, armv7] }, INDEX);
  indexOf(layout, [top]);
  expect(digestOf(layout)).toBe(top.digest);
  const platforms = platformsOf(layout, ['linux/amd64', 'linux/arm/v7']);
  expect([...platforms]).toEqual([
    ['linux/amd64', amd64.digest],
    ['linux/arm/v7', armv7.digest],
  ]);
});

test('an index that hides one image behind another is refused', () => {
  const [shown, hidden] = ['shown', 'hidden'].map((name) => ({
    ...manifest(name),
    platform: { os: 'linux', architecture: 'amd64' },
  }));
  const manifests = [shown, hidden];
  indexOf(layout, [blob({ schemaVersion: 2, mediaType: INDEX, manifests }, INDEX)]);
  expect(() => platformsOf(layout, ['linux/amd64'])).toThrow('two images for one platform');
});

test.each([
  [['linux/amd64'], ['linux/amd64'], []],
  [['linux/amd64'], ['linux/amd64', 'linux/arm64'], ['linux/arm64']],
  [['linux/amd64', 'linux/arm64'], ['linux/arm64/v8'], []],
  [['linux/arm/v6'], ['linux/arm/v7'], ['linux/arm/v7']],
])('of an image for %j and a wish for %j, what is missing is %j', (there, expected, missing) => {
  expect(missingFrom(there, expected)).toEqual(missing);
});

test('one platform alone: a layout whose only manifest has the same digest', () => {
  const [amd64, arm64] = [manifest('amd64'), manifest('arm64')];
  indexOf(layout, [blob({ schemaVersion: 2, mediaType: INDEX, manifests: [amd64, arm64] }, INDEX)]);
  const folder = onePlatform(layout, arm64.digest, join(layout, 'alone'));
  expect(JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')).manifests).toEqual([arm64]);
  expect(digestOf(folder)).toBe(arm64.digest);
  expect(existsSync(join(folder, 'blobs', ...arm64.digest.split(':')))).toBe(true);
});

test.each([
  ['no image', { schemaVersion: 2, manifests: [] }],
  ['a digest that is a path', { schemaVersion: 2, manifests: [{ digest: '../../x', size: 1 }] }],
  ['another version', { schemaVersion: 1, manifests: [manifestLike()] }],
])('with %s is not read', (_what, index) => {
  writeFileSync(join(layout, 'index.json'), JSON.stringify(index));
  expect(() => digestOf(layout)).toThrow();
});

function manifestLike() {
  return { mediaType: MANIFEST, digest: `sha256:${'0'.repeat(64)}`, size: 2 };
}

function manifest(architecture: string) {
  return blob({ schemaVersion: 2, mediaType: MANIFEST, annotations: { architecture } }, MANIFEST);
}

function blob(content: object, mediaType: string) {
  const bytes = JSON.stringify(content);
  const hash = createHash('sha256').update(bytes).digest('hex');
  writeFileSync(join(layout, 'blobs', 'sha256', hash), bytes);
  return { mediaType, digest: `sha256:${hash}`, size: bytes.length };
}

function indexOf(folder: string, manifests: object[]): void {
  writeFileSync(join(folder, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
}

test('a layout is whole when all its layers are there', () => {
  const layer = blob({}, 'application/vnd.oci.image.layer.v1.tar+gzip');
  const config = blob({}, 'application/vnd.oci.image.config.v1+json');
  indexOf(layout, [
    blob({ schemaVersion: 2, mediaType: MANIFEST, config, layers: null }, MANIFEST),
  ]);
  expect(isWhole(layout)).toBe(true);
  indexOf(layout, [
    blob({ schemaVersion: 2, mediaType: MANIFEST, config, layers: [layer] }, MANIFEST),
  ]);
  expect(isWhole(layout)).toBe(true);
  const elsewhere = { ...layer, digest: `sha256:${'0'.repeat(64)}` };
  indexOf(layout, [
    blob({ schemaVersion: 2, mediaType: MANIFEST, config, layers: [layer, elsewhere] }, MANIFEST),
  ]);
  expect(isWhole(layout)).toBe(false);
});
