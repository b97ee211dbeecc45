import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { release } from '../../demo/release.ts';
import { run } from '../../lib/process/run.ts';
import { cacheDirectory, checkout } from '../../local-cloud/claim.ts';
import { cloud } from '../cloud.ts';
import { processes } from '../processes.ts';
import type { Scenario } from './scenario.ts';

/** What a machine writes by itself. */
const MACHINE = ['/proc', '/sys', '/dev', '/var/log', '/run/udev', '/var/cache/ldconfig'];

export const leavings: Scenario = {
  shows: 'after a release, make down leaves nothing on the machine outside checkout and cache',
  async run(instance, print) {
    await cloud('down');
    const before = await inventory();
    const folder = mkdtempSync(join(tmpdir(), 'compta-bench-'));
    const stamp = join(folder, 'begun');
    writeFileSync(stamp, '');
    try {
      await cloud('up');
      await release(instance, print);
      await cloud('down');
      const after = await inventory();
      const written = await writtenSince(stamp, folder);
      assert.deepEqual({ ...after, written }, { ...before, written: [] }, 'all is as before');
      return Object.fromEntries(Object.entries(after).map(([kind, { length }]) => [kind, length]));
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
};

/** Everything of the kernel's that a cloud is made of, by the name that tells it apart. */
async function inventory(): Promise<Record<string, string[]>> {
  const lines = async (...argv: string[]) =>
    (await run(argv)).stdout.split('\n').filter(Boolean).sort();
  return {
    namespaces: await lines('ip', 'netns', 'list'),
    interfaces: await lines('ls', '/sys/class/net'),
    addresses: await lines('ip', '-oneline', 'address', 'show'),
    routes: await lines('ip', 'route', 'show', 'table', 'all'),
    'packet filters': await lines('nft', 'list', 'ruleset'),
    'loop devices': await lines('losetup', '--list', '--noheadings', '--output', 'NAME,BACK-FILE'),
    mounts: await lines('findmnt', '--list', '--noheadings', '--output', 'TARGET,SOURCE'),
    'control groups': await lines('find', '/sys/fs/cgroup', '-type', 'd'),
    processes: await Promise.all([...processes().keys()].map((pid) => String(pid))).then(
      programsOf,
    ),
  };
}

/** By command line: process ids come and go. Our own children, and kernel threads, are left out. */
async function programsOf(pids: string[]): Promise<string[]> {
  const { stdout } = await run(['ps', '-ww', '-o', 'args=', '-p', pids.join(',')], {
    allowedExitCodes: [0, 1],
  });
  return stdout
    .split('\n')
    .filter((line) => line.includes(checkout) || line.includes('compta'))
    .filter((line) => !line.includes('bench/run.ts') && !line.startsWith('ps '))
    .sort();
}

async function writtenSince(stamp: string, own: string): Promise<string[]> {
  const left = [checkout, cacheDirectory(), own, ...MACHINE];
  const prune = left.flatMap((path) => ['-path', path, '-prune', '-o']);
  const { stdout } = await run(
    ['find', '/', ...prune, '-newer', stamp, '!', '-type', 'd', '-print'],
    { allowedExitCodes: [0, 1] },
  );
  return stdout.split('\n').filter(Boolean);
}
