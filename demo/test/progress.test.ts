import { expect, test } from '@jest/globals';
import { Progress } from '../progress.ts';

const said = (msg: string, more: object = {}) => ({
  time: new Date().toISOString(),
  level: 'info',
  job: 'Deploy staging/Configure the servers  ',
  jobID: 'configure-servers',
  msg,
  ...more,
});

test('a job that is silent for long shows what it is at, once a silence, without colours', () => {
  const lines: string[] = [];
  const begun = Date.now();
  const progress = new Progress((line) => lines.push(line));
  progress.take(said('⭐ Run Set up job'));
  progress.take(said('\u001b[0;33mTASK [common : Install]\u001b[0m\n', { raw_output: true }));
  progress.tick(begun + 14_000);
  expect(lines).toHaveLength(1);
  progress.tick(Date.now() + 16_000);
  expect(lines[1]).toMatch(/Configure the servers +… TASK \[common : Install\]$/);
  progress.take(said('🏁  Job succeeded', { jobResult: 'success' }));
  progress.tick(Date.now() + 60_000);
  expect(lines).toHaveLength(2);
});
