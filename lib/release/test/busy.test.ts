import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { freeLeases, Lease, look } from '../lease.ts';
import { Here } from './fixture/here.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'compta-busy-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const options = (waitMs: number, said: string[] = []) => ({
  owner: 'next',
  run: '',
  waitMs,
  say: (line: string) => said.push(line),
});

/** What a run that is gone has begun on a server, and what goes on there. */
async function leftBehind(seconds: number) {
  const goingOn = ['sh', '-c', 'echo begun; exec sleep "$0"', String(seconds)];
  const left = spawn('flock', ['--no-fork', '-s', join(folder, '.lock'), ...goingOn]);
  await once(left.stdout, 'data');
  return left;
}

test('what a dead run has begun on a server is waited for, and says so', async () => {
  const host = new Here('app-1', folder);
  // Longer than a try to take the lease waits, on a slow machine too.
  const left = await leftBehind(12);
  const ended = once(left, 'exit');
  const said: string[] = [];
  const lease = await Lease.take([host], options(60_000, said));
  await ended;
  expect(said).toEqual([
    'Waiting for the lease: app-1 is still at what an earlier run has begun there',
  ]);
  expect((await look(host)).binds).toBe(true);
  await lease.free();
  expect((await look(host)).binds).toBe(false);
}, 60_000);

test('it is not waited for without end, and no other server is held meanwhile', async () => {
  const other = mkdtempSync(join(folder, 'other'));
  const [free, busy] = [new Here('app-1', other), new Here('app-2', folder)];
  const left = await leftBehind(60);
  await expect(Lease.take([free, busy], options(0))).rejects.toThrow(
    'app-2 is still at what an earlier run has begun there, and did not come free within 0 s. See there what it is',
  );
  left.kill('SIGKILL');
  expect((await look(free)).binds).toBe(false);
}, 30_000);

test('a server that fails keeps none of the others held', async () => {
  const [failing, fine] = ['app-1', 'app-2'].map(
    (name) => new Here(name, mkdtempSync(join(folder, name))),
  ) as [Here, Here];
  const lease = await Lease.take([failing, fine], options(0));
  failing.read = () => Promise.reject(new Error('app-1 hung up'));
  await expect(freeLeases([failing, fine], lease.token)).rejects.toThrow('app-1 hung up');
  expect((await look(fine)).binds).toBe(false);
  await lease.free();
});
