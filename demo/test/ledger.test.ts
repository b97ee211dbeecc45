import { expect, test } from '@jest/globals';
import { judge, leastInFlight } from '../ledger.ts';
import type { Sent } from '../traffic.ts';

const sent = (id: string, status: number, kind: Sent['kind'] = 'post'): Sent => {
  return { kind, id, start: 0, end: 10, status, problem: '' };
};
const window = { start: 0, end: 10 };

test('an acknowledged entry that the database lacks is lost', () => {
  const verdict = judge([sent('a', 201), sent('b', 201)], new Map([['a', 1]]), window);
  expect(verdict.lost).toEqual(['b']);
});

test('an entry that is there twice is doubled, whatever the client was told', () => {
  const verdict = judge(
    [sent('a', 0), sent('b', 201)],
    new Map([
      ['a', 2],
      ['b', 1],
    ]),
    window,
  );
  expect(verdict.doubled).toEqual(['a']);
  expect(verdict.failed.map(({ id }) => id)).toEqual(['a']);
});

test('every answer but the one that was due has failed', () => {
  const requests = [sent('a', 502), sent('b', 404, 'read'), sent('c', 200, 'slow')];
  expect(judge(requests, new Map(), window).failed).toHaveLength(2);
});

test('requests in flight are counted inside the window only', () => {
  const requests = [
    { start: 0, end: 100 },
    { start: 10, end: 50 },
    { start: 50, end: 90 },
  ];
  expect(leastInFlight(requests, { start: 20, end: 80 })).toBe(2);
  expect(leastInFlight(requests, { start: 20, end: 95 })).toBe(1);
});
