import { spawnSync } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';

const bundle = new URL('../dist/main/index.js', import.meta.url).pathname;

function compta(...words: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [bundle, ...words], { encoding: 'utf8' });
}

describe('compta', () => {
  test('explains itself', () => {
    const { status, stdout } = compta('--help');
    expect(status).toBe(0);
    expect(stdout).toContain('compta rollback');
  });

  test.each([
    [['fly'], 'Give one command of deploy, rollback, status, history, unlock'],
    [['status', '--colour'], "Unknown option '--colour'"],
    [['status'], '--terraform-outputs is missing'],
    [['status', '--terraform-outputs', '/nowhere.json'], 'does not exist'],
  ])('%j is refused with a sentence', (words, message) => {
    const { status, stderr } = compta(...words);
    expect(status).toBe(1);
    expect(stderr).toContain(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });
});
