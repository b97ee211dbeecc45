import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Cache } from '../../lib/runner/cache.ts';
import { withProviders } from '../src/plugins.ts';

/** Terraform's provider folder before and after `init`, with a cache that keeps it by key. */
let folder: string;
let plugins: string;
const kept = new Map<string, string[]>();
const asked: string[] = [];
const cache: Cache = {
  async restore(key, [path = '']) {
    asked.push(`restore ${key}`);
    for (const name of kept.get(key) ?? []) writeFileSync(join(path, name), name);
    return kept.has(key);
  },
  async save(key, [path = '']) {
    asked.push(`save ${key}`);
    kept.set(key, readdirSync(path));
  },
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'compta-plugins-'));
  plugins = join(folder, 'compta-terraform-plugins');
  writeFileSync(join(folder, '.terraform.lock.hcl'), 'provider "a" {}');
  kept.clear();
  asked.length = 0;
});
afterEach(() => rmSync(folder, { recursive: true }));

/** @returns what `init` found there */
async function init(env: NodeJS.ProcessEnv = {}, downloads = ['provider']): Promise<string[]> {
  const job = { inputs: { directory: folder }, runner: { temp: folder, env }, env };
  let found: string[] = [];
  const terraform = async () => {
    const target = env.TF_PLUGIN_CACHE_DIR ?? plugins;
    found = readdirSync(target);
    for (const name of downloads) writeFileSync(join(target, name), name);
  };
  await withProviders(job as never, terraform, cache);
  return found;
}

const nextJob = () => rmSync(plugins, { recursive: true });

describe('the providers', () => {
  it('of one job are there in the next one with the same lock file', async () => {
    expect(await init()).toEqual([]);
    nextJob();
    expect(await init()).toEqual(['provider']);
    expect(asked.map((line) => line.split(' ')[0])).toEqual(['restore', 'save', 'restore']);
  });

  it('are others under another lock file', async () => {
    await init();
    nextJob();
    writeFileSync(join(folder, '.terraform.lock.hcl'), 'provider "b" {}');
    expect(await init()).toEqual([]);
    expect(kept.size).toBe(2);
  });

  it('are asked for once in a job', async () => {
    await init();
    await init();
    expect(asked).toHaveLength(2);
  });

  it('are left alone in a folder that the workflow names', async () => {
    const own = join(folder, 'own');
    mkdirSync(own);
    await init({ TF_PLUGIN_CACHE_DIR: own });
    expect(asked).toEqual([]);
  });

  it('are not kept when there are none', async () => {
    await init({}, []);
    expect(asked).toHaveLength(1);
  });

  it('are not kept of an init that failed', async () => {
    const job = { inputs: { directory: folder }, runner: { temp: folder, env: {} }, env: {} };
    const failing = () => Promise.reject(new Error('no luck'));
    await expect(withProviders(job as never, failing, cache)).rejects.toThrow('no luck');
    expect(kept.size).toBe(0);
  });
});
