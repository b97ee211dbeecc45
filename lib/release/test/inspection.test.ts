import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { inspect } from '../inspection.ts';
import { Here } from './fixture/here.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'compta-inspection-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A server on which Docker says this of its events, and has one container that starts. */
function server(events: string): Here {
  const State = { Status: 'running', ExitCode: 0, OOMKilled: false, Error: '', StartedAt: '' };
  const docker = join(folder, 'docker');
  writeFileSync(
    docker,
    `#!/bin/sh
[ "$1" = events ] || exec echo '${JSON.stringify({ RestartCount: 0, State })}'
echo "$$" >${folder}/listening
${events}
`,
  );
  chmodSync(docker, 0o755);
  return new Here('app-1', folder, folder);
}

/** Whether what listened to Docker goes on. */
function isListening(): boolean {
  try {
    return process.kill(Number(readFileSync(join(folder, 'listening'), 'utf8')), 0);
  } catch {
    return false;
  }
}

const after = (seconds: number) => ({ at: '1', seconds, stop: undefined });

test('a container is looked at again as soon as something happens to it', async () => {
  const host = server('sleep 0.3; echo .; exec sleep 60');
  const begun = Date.now();
  expect(await inspect(host, 'one', after(30))).toMatchObject({ status: 'running' });
  expect(Date.now() - begun).toBeGreaterThanOrEqual(300);
  expect(Date.now() - begun).toBeLessThan(10_000);
  expect(isListening()).toBe(false);
});

test('and in time when nothing does', async () => {
  const begun = Date.now();
  expect(await inspect(server('exec sleep 60'), 'one', after(0.5))).toMatchObject({ restarts: 0 });
  expect(Date.now() - begun).toBeGreaterThanOrEqual(500);
  expect(Date.now() - begun).toBeLessThan(10_000);
  expect(isListening()).toBe(false);
});

test('what happens between two looks is not missed: the second listens from the time of the first', async () => {
  const host = server(`echo "$@" >${folder}/asked`);
  const seen = await inspect(host, 'one');
  const at = seen?.at ?? '';
  expect(Math.abs(Number(at) - Date.now() / 1000)).toBeLessThan(10);
  await inspect(host, 'one', { ...after(1), at });
  expect(readFileSync(join(folder, 'asked'), 'utf8')).toContain(`--since ${at} `);
});
