import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from '@jest/globals';
import { RUNNER_MARK } from '../../local-cloud/leftovers.ts';
import { processes, switchOff } from '../processes.ts';

test('switching off ends a process, its children, and marked ones that were handed to init', async () => {
  const mark = `/tmp/mark-${process.pid}`;
  const script = 'sleep 300 & (setsid sleep 301 &) ; echo begun; wait';
  const root = spawn('sh', ['-c', script], { env: { ...process.env, [RUNNER_MARK]: mark } });
  await once(root.stdout, 'data');
  expect(await switchOff(root.pid as number, mark)).toBe(3);
  expect(processes().has(root.pid as number)).toBe(false);
});
