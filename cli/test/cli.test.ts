import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { COMMANDS } from '../src/commands.ts';
import { OPTIONS, type Option } from '../src/options.ts';

const bundle = new URL('../dist/main/index.js', import.meta.url).pathname;

function compta(...words: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [bundle, ...words], { encoding: 'utf8' });
}

describe('compta', () => {
  test('explains itself, without colours where there is no terminal', () => {
    const { status, stdout } = compta('--help');
    expect(status).toBe(0);
    for (const name of Object.keys(COMMANDS))
      expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'));
    expect(stdout).not.toContain('\u001b');
  });

  test('explains a command with its own options and their defaults', () => {
    const { status, stdout } = compta('rollback', '--help');
    expect(status).toBe(0);
    expect(stdout).toMatch(/--services NAME,… +services that go back/);
    expect(stdout).toMatch(/--lock-timeout TIME .*\[15m\]/);
    expect(stdout).not.toContain('--images');
  });

  test.each(['action-deploy', 'action-rollback'])('has the defaults of %s', (action) => {
    const file = new URL(`../../${action}/action.yml`, import.meta.url);
    const { inputs } = parse(readFileSync(file, 'utf8'));
    const common = Object.entries<Option>(OPTIONS).filter(([name]) => name in inputs);
    expect(common.length).toBeGreaterThan(10);
    for (const [name, option] of common) {
      const { default: ofAction = option.value === undefined ? 'false' : undefined } = inputs[name];
      const own = option.value === undefined ? 'false' : option.default;
      expect({ [name]: own }).toEqual({ [name]: ofAction });
    }
  });

  test.each([
    [['fly'], 'Give one command of deploy, rollback, converge, status'],
    [['constructor'], 'Give one command of deploy, rollback, converge, status'],
    [['status', '--colour'], "Unknown option '--colour'; see compta status --help."],
    [
      ['rollback', '--services', ''],
      '--services is empty: give a value or leave it out; see compta rollback --help.',
    ],
    [['rollback', '--services= '], '--services is empty'],
    [['status', 'now'], "It takes options only, not 'now'"],
    [['maintenance', '--reason', 'x'], 'Give on or off; see compta maintenance --help.'],
    [['lock', '--reason', 'x'], 'Give the command to run after --; see compta lock --help.'],
    [['status', '--terraform-outputs', '/nowhere.json'], "Input 'private-key' is missing"],
  ])('%j is refused with a sentence', (words, message) => {
    const { status, stderr } = compta(...words);
    expect(status).toBe(1);
    expect(stderr).toContain(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });
});
