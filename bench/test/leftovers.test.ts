import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { folderPrefix, removeLeftovers } from '../data/leftovers.ts';

test('what a bench that was killed has left is ended and removed, not what one that runs has', async () => {
  const below = mkdtempSync(join(tmpdir(), 'compta-leftovers-'));
  const folder = (prefix: string) => {
    const path = join(below, `${prefix}abc`);
    mkdirSync(path);
    writeFileSync(join(path, 'log'), '');
    return path;
  };
  // A process of this number that began at another time.
  const left = folder(`compta-bench-${process.pid}-1-`);
  const own = folder(folderPrefix());
  const [leftWork, ownWork] = [left, own].map((path) =>
    spawn('tail', ['-f', join(path, 'log')], { stdio: 'ignore' }),
  );
  const ended = once(leftWork as NonNullable<typeof leftWork>, 'exit');
  await removeLeftovers(below);
  expect((await ended)[1]).toBe('SIGTERM');
  expect(existsSync(left)).toBe(false);
  expect(existsSync(join(own, 'log'))).toBe(true);
  expect(ownWork?.exitCode).toBeNull();
  ownWork?.kill();
  rmSync(below, { recursive: true });
});
