import { expect, test } from '@jest/globals';
import { tellsSecret } from '../workflow.ts';

const entry = { time: '', level: 'info', msg: '  ⚙  ***' };

test('the log leaves out what a step masks, and keeps every other command', () => {
  expect(tellsSecret({ ...entry, command: 'add-mask', arg: 'correct-horse' })).toBe(true);
  expect(tellsSecret({ ...entry, command: 'error', arg: 'The disk is full.' })).toBe(false);
  expect(tellsSecret(undefined)).toBe(false);
});
