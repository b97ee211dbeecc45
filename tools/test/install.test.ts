import { mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { run } from '../../lib/process/run.ts';

const install = join(import.meta.dirname, '..', 'install');

test('a machine that lacks tools is told all of them in one sentence, and nothing is written', async () => {
  const home = mkdtempSync(join(tmpdir(), 'compta-install-'));
  const bin = mkdtempSync(join(tmpdir(), 'compta-path-'));
  for (const tool of ['bash', 'dirname', 'uname', 'id', 'sed', 'sort', 'head']) {
    symlinkSync(`/usr/bin/${tool}`, join(bin, tool));
  }
  const { exitCode, stderr } = await run([install], {
    env: { PATH: bin, HOME: home },
    allowedExitCodes: [1],
  });
  expect(exitCode).toBe(1);
  expect(stderr.trim().split('\n')).toHaveLength(1);
  for (const name of ['apt-get', 'Go', 'Node.js', 'npm', 'Java 17', 'Maven', 'Python 3.11']) {
    expect(stderr).toContain(name);
  }
  expect(readdirSync(home)).toEqual([]);
  rmSync(home, { recursive: true });
  rmSync(bin, { recursive: true });
});
