import { expect, test } from '@jest/globals';
import { atLeast, atMost, measurementsIn } from '../measurement.ts';
import { type Results, withTable } from '../results.ts';

const results: Results = {
  rollback: {
    date: '2026-11-26T03:00:00.000Z',
    machine: '2 × a core',
    commit: 'abc1234',
    measurements: {
      seconds: 12,
      jobs: { release: 3 },
      traffic: {
        failed: atMost(0, 1, 'requests'),
        requests: atLeast(10, 12, 'requests', { bare: 9 }),
      },
    },
  },
};

test('a figure knows whether it is within its bound', () => {
  const all = measurementsIn(results.rollback?.measurements ?? {});
  expect(all.map(([name, { holds }]) => [name, holds])).toEqual([
    ['traffic, failed', false],
    ['traffic, requests', true],
  ]);
});

test('the table has a row for each figure with a bound, and leaves the rest of the document alone', () => {
  const document = 'before\n<!-- measured -->\nold\n<!-- /measured -->\nafter\n';
  const once = withTable(document, results);
  expect(once).toContain(
    '| rollback | traffic, failed | 1 requests | ❌ ≤ 0 |  | 2026-11-26, abc1234 |',
  );
  expect(once).toContain('| 12 requests | ✅ ≥ 10 | bare: 9 |');
  expect(once).not.toContain('old');
  expect(once.startsWith('before\n')).toBe(true);
  expect(once.endsWith('after\n')).toBe(true);
  expect(withTable(once, results)).toBe(once);
});
