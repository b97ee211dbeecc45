import { expect, test } from '@jest/globals';
import { overdue } from '../src/database.ts';

const HOUR = 3_600_000;

test.each([
  ['2026-11-23T12:00:00Z', -12 * HOUR],
  ['2026-11-22T20:00:00.123456789Z', 4 * HOUR - 123],
  ['2026-11-21T00:00:00+01:00', 49 * HOUR],
])('a database whose successor is due at %s', (NextUpdate, expected) => {
  const now = Date.parse('2026-11-23T00:00:00Z');
  expect(overdue(JSON.stringify({ Version: 2, NextUpdate }), now)).toBe(expected);
});

test('without a date is none', () => {
  expect(() => overdue('{"Version":2}', Date.now())).toThrow();
});
