import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { cacheOptions, settleCache } from '../src/build-cache.ts';

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
  expect(to[0]).toMatch(/,ignore-error=true,mode=max$/);
});

describe('a folder', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'compta-cache-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test('is read once it is there, and replaced whole', () => {
    const cache = { kind: 'folder', folder } as const;
    expect(cacheOptions(cache, 'auth-service').from).toEqual([]);
    settleCache(cache, 'auth-service');

    for (const content of ['first', 'second']) {
      mkdirSync(join(folder, 'auth-service.next'));
      writeFileSync(join(folder, 'auth-service.next', content), '');
      settleCache(cache, 'auth-service');
    }
    expect(existsSync(join(folder, 'auth-service', 'first'))).toBe(false);
    expect(existsSync(join(folder, 'auth-service', 'second'))).toBe(true);
    expect(cacheOptions(cache, 'auth-service').from).toEqual([
      `--cache-from=type=local,src=${folder}/auth-service`,
    ]);
  });
});
