import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Lease } from '../lease.ts';
import { prune } from '../store.ts';
import { Here } from './fixture/here.ts';

let folder: string;
let host: Here;
let lease: Lease;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'compta-prune-'));
  host = new Here('app-1', folder, join(folder, 'bin'));
  lease = await Lease.take([host], { owner: 'me', run: '', waitMs: 0, say: () => {} });
});
afterEach(async () => {
  await lease.free();
  rmSync(folder, { recursive: true });
});

const image = (digit: string): string => `registry/auth@sha256:${digit.repeat(64)}`;

function release(name: string, ...images: string[]): void {
  const at = join(folder, 'releases', name);
  mkdirSync(at, { recursive: true });
  const services = Object.fromEntries(images.map((each, index) => [index, { image: each }]));
  writeFileSync(join(at, 'manifest.json'), `${JSON.stringify({ services }, null, 2)}\n`);
  writeFileSync(join(at, '.env'), 'A=1\n');
  for (const each of images) {
    mkdirSync(join(folder, 'caddy/assets', each.split(':').at(-1) ?? ''), { recursive: true });
  }
}

/** An engine that notes which images it is to remove, and whose caller is killed the first time. */
function engine({ deadly = false } = {}): void {
  mkdirSync(join(folder, 'bin'), { recursive: true });
  const kill = deadly ? `[ -e "$0.killed" ] || { touch "$0.killed"; kill -9 $PPID; }` : '';
  const script = `#!/bin/sh\necho "$3" >>"${folder}/removed"\n${kill}\n`;
  writeFileSync(join(folder, 'bin/docker'), script);
  chmodSync(join(folder, 'bin/docker'), 0o755);
}

const removed = (): string[] =>
  existsSync(join(folder, 'removed'))
    ? readFileSync(join(folder, 'removed'), 'utf8').trim().split('\n')
    : [];
const left = (of: string): string[] => readdirSync(join(folder, of)).toSorted();

test('what no kept release needs is removed: files, images and their assets', async () => {
  engine();
  release('old', image('1'), image('2'));
  release('before', image('2'), image('3'));
  release('now', image('3'), image('4'));
  await prune(host, ['before', 'now']);
  expect(left('releases')).toEqual(['before', 'now']);
  expect(removed()).toEqual([image('1')]);
  expect(left('caddy/assets')).toEqual(['2', '3', '4'].map((digit) => digit.repeat(64)));
});

test('what a prune that was killed has left, the next one removes', async () => {
  engine({ deadly: true });
  release('old', image('1'), image('2'));
  release('now', image('3'));
  await expect(prune(host, ['now'])).rejects.toThrow('a signal');
  await prune(host, ['now']);
  expect(left('releases')).toEqual(['now']);
  expect(new Set(removed())).toEqual(new Set([image('1'), image('2')]));
  expect(left('caddy/assets')).toEqual(['3'.repeat(64)]);
});
