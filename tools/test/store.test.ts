import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { goBuild } from '../installer/go.ts';
import type { GoPin } from '../installer/pins.ts';
import { isInstalled } from '../installer/project.ts';
import { isLinked, link, Store } from '../installer/store.ts';

const pin: GoPin = {
  kind: 'go',
  version: '1.2.3',
  package: 'example.org/tool/cmd/tool',
  executable: 'tool',
  variables: { 'main.version': '1.2.3' },
  toolCache: 'tool',
  bin: { tool: 'tool' },
};

let cache: string;
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'compta-store-'));
});
afterEach(() => rmSync(cache, { recursive: true }));

describe('the store', () => {
  test('a build that was killed is not complete, and the next begins with nothing of it', () => {
    const store = new Store(cache);
    writeFileSync(join(store.begin('tool', 'k'), 'half'), '');
    expect(store.isComplete('tool', 'k')).toBe(false);
    expect(existsSync(join(store.begin('tool', 'k'), 'half'))).toBe(false);
    store.complete('tool', 'k', 7);
    expect(store.isComplete('tool', 'k')).toBe(true);
  });

  test('links lead from the tool cache and bin to the last build that was linked', () => {
    const store = new Store(cache);
    const [one, two] = ['one', 'two'].map((id) => {
      const folder = store.begin('tool', id);
      writeFileSync(join(folder, 'tool'), id);
      return folder;
    }) as [string, string];
    link(cache, one, pin);
    link(cache, two, pin);
    expect(readFileSync(join(cache, 'bin/tool'), 'utf8')).toBe('two');
    expect(readFileSync(join(cache, 'tool-cache/tool/1.2.3/x64/tool'), 'utf8')).toBe('two');
    expect(existsSync(join(cache, 'tool-cache/tool/1.2.3/x64.complete'))).toBe(true);
    expect([isLinked(cache, one, pin), isLinked(cache, two, pin)]).toEqual([false, true]);
  });

  test('a build that lacks what its pin promises is refused', () => {
    const folder = new Store(cache).begin('tool', 'k');
    expect(() => link(cache, folder, pin)).toThrow('store/tool-k/tool was not built');
  });
});

test('a Go tool is built static and stripped, with its version linked in', () => {
  expect(goBuild(pin, '/out/tool').join(' ')).toBe(
    'go build -mod=readonly -buildvcs=false -trimpath -ldflags=-s -w -X main.version=1.2.3 ' +
      '-o /out/tool example.org/tool/cmd/tool',
  );
});

test('node_modules is current when npm installed what the lock asks for, other platforms aside', () => {
  const lock = {
    packages: { '': {}, a: { version: '1' }, darwin: { version: '1', optional: true } },
  };
  expect(isInstalled(lock, { packages: { a: { version: '1' } } })).toBe(true);
  expect(isInstalled(lock, { packages: { a: { version: '2' } } })).toBe(false);
  expect(isInstalled(lock, { packages: {} })).toBe(false);
});
