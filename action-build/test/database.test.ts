import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { dueOf } from '../src/database.ts';

let cache: string;
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'compta-database-'));
  mkdirSync(join(cache, 'db'));
});
afterEach(() => rmSync(cache, { recursive: true }));

const write = (metadata: object) =>
  writeFileSync(join(cache, 'db', 'metadata.json'), JSON.stringify(metadata));

test.each([
  ['2026-11-23T12:00:00Z', '2026-11-23T12:00:00.000Z'],
  ['2026-11-22T20:00:00.123456789Z', '2026-11-22T20:00:00.123Z'],
  ['2026-11-21T00:00:00+01:00', '2026-11-20T23:00:00.000Z'],
])('a database whose successor is due at %s', (NextUpdate, due) => {
  write({ Version: 2, NextUpdate });
  expect(dueOf(cache, 'db').toISOString()).toBe(due);
});

test('without a date is none', () => {
  write({ Version: 2 });
  expect(() => dueOf(cache, 'db')).toThrow();
});
