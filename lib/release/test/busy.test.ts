import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Lease, look } from '../lease.ts';
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
