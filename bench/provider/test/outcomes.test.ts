import { describe, expect, test } from '@jest/globals';
import { judge, readOutcomes } from '../outcomes.ts';

const KNOWN = { failing: { TestAccB: 'because' }, notRunnable: { TestAccC: 'no domain' } };

test('a test that never said how it ended failed; what a test prints is not believed', () => {
  const output = [
    '\u0016=== RUN   TestAccA',
    'server said: --- FAIL: TestAccA (0.00s)',
    '\u0016--- PASS: TestAccA (1.20s)',
    '\u0016--- SKIP: TestAccC (0.00s)',
    'panic: test timed out',
  ].join('\n');
  expect(readOutcomes(['TestAccA', 'TestAccB', 'TestAccC'], output)).toEqual([
    { test: 'TestAccA', result: 'pass' },
    { test: 'TestAccB', result: 'fail' },
    { test: 'TestAccC', result: 'skip' },
  ]);
});

describe('the verdict', () => {
  test('counts of those that can run', () => {
    const verdict = judge(
      [
        { test: 'TestAccA', result: 'pass' },
        { test: 'TestAccB', result: 'fail' },
        { test: 'TestAccC', result: 'skip' },
      ],
      KNOWN,
    );
    expect(verdict).toEqual({ passed: 1, failed: 1, notRunnable: 1, share: 50, surprises: [] });
  });

  test.each([
    ['TestAccA', 'fail'],
    ['TestAccA', 'skip'],
    ['TestAccB', 'pass'],
    ['TestAccC', 'pass'],
  ] as const)('is surprised by %s: %s', (test, result) => {
    expect(judge([{ test, result }], KNOWN).surprises).toHaveLength(1);
  });
});
