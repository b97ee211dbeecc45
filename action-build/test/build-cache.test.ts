import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { cacheOptions, openCache, settleCache } from '../src/build-cache.ts';

test('without a cache buildx is told of none', () => {
  expect(cacheOptions({ kind: 'none' }, 'auth-service')).toEqual({ from: [], to: [] });
});

test.each([
  [{ kind: 'github' } as const, 'type=gha,scope=auth-service'],
  [
    { kind: 'registry', repository: 'r.test/compta' } as const,
    'type=registry,ref=r.test/compta/auth-service:buildcache',
  ],
])('%j: a scope of its own for each image', (cache, scope) => {
  const { from, to } = cacheOptions(cache, 'auth-service');
  expect(from).toEqual([`--cache-from=${scope}`]);
  expect(to[0]).toMatch(`--cache-to=${scope}`);
  // A cache that takes nothing fails no build.
  expect(to[0]).toMatch(/,ignore-error=true,mode=max,/);
});

describe('a folder', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'compta-cache-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const cache = () => ({ kind: 'folder', folder, run: 'mine' }) as const;
  /** What BuildKit does to the folder that it is told: it adds what is not there, and names it. */
  const built = (layers: Record<string, string>) => {
    const next = join(folder, 'auth-service.next-mine');
    mkdirSync(join(next, 'blobs/sha256'), { recursive: true });
    const put = (content: string) => {
      const hex = createHash('sha256').update(content).digest('hex');
      const file = join(next, 'blobs/sha256', hex);
      if (!existsSync(file)) writeFileSync(file, content);
      return { mediaType: 'x', digest: `sha256:${hex}`, size: content.length };
    };
    const manifest = put(JSON.stringify({ manifests: Object.values(layers).map(put) }));
    const index = JSON.stringify({ schemaVersion: 2, manifests: [manifest] });
    writeFileSync(join(next, 'index.json'), index);
  };
  const blobs = () => join(folder, 'auth-service/blobs/sha256');
  const contents = () =>
    readdirSync(blobs()).map((name) => readFileSync(join(blobs(), name), 'utf8'));

  test('is read once it is there', () => {
    expect(cacheOptions(cache(), 'auth-service').from).toEqual([]);
    openCache(cache(), 'auth-service');
    built({ base: 'base' });
    settleCache(cache(), 'auth-service');
    expect(cacheOptions(cache(), 'auth-service').from).toEqual([
      `--cache-from=type=local,src=${folder}/auth-service`,
    ]);
  });

  test('keeps the files of what is still needed, and nothing else', () => {
    built({ base: 'base', code: 'first' });
    settleCache(cache(), 'auth-service');
    const base = join(blobs(), createHash('sha256').update('base').digest('hex'));
    const before = statSync(base).ino;
    openCache(cache(), 'auth-service');
    built({ base: 'base', code: 'second' });
    settleCache(cache(), 'auth-service');
    expect(contents()).toEqual(expect.arrayContaining(['base', 'second']));
    expect(contents()).not.toContain('first');
    expect(statSync(base).ino).toBe(before);
    expect(existsSync(join(folder, 'auth-service.next-mine'))).toBe(false);
  });

  test('stays as it was when a build wrote none, or was killed', () => {
    built({ base: 'base' });
    settleCache(cache(), 'auth-service');
    const before = contents();
    openCache(cache(), 'auth-service');
    writeFileSync(join(folder, 'auth-service.next-mine/blobs/sha256/half'), '');
    settleCache(cache(), 'auth-service');
    expect(contents()).toEqual(before);
    expect(readdirSync(folder)).toEqual(['auth-service']);
    const next = { ...cache(), run: 'next' };
    openCache(next, 'auth-service');
    expect(readdirSync(join(folder, 'auth-service.next-next/blobs/sha256'))).not.toContain('half');
  });

  test("is another run's too: what that writes stays, until it has been dead for a day", () => {
    const theirs = join(folder, 'auth-service.next-theirs');
    mkdirSync(theirs);
    openCache(cache(), 'auth-service');
    built({ base: 'base' });
    settleCache(cache(), 'auth-service');
    expect(existsSync(theirs)).toBe(true);
    const before = new Date(Date.now() - 25 * 3_600_000);
    utimesSync(theirs, before, before);
    openCache(cache(), 'auth-service');
    expect(existsSync(theirs)).toBe(false);
  });
});
