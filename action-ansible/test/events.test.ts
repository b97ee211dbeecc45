import { expect, test } from '@jest/globals';
import { parseEvents, recap, settled, type TaskResult, unreachable } from '../src/events.ts';

const entry = (host: string, task: string, more: object = {}) => ({
  event: 'result',
  outcome: 'ok',
  host,
  task,
  path: '/p/site.yml',
  line: 1,
  changed: false,
  start: 1,
  end: 2,
  ...more,
});
const attempt = (...events: object[]) =>
  parseEvents(events.map((event) => `${JSON.stringify(event)}\n`).join(''));
const outcomes = (results: readonly TaskResult[]) =>
  results.map(({ host, task, outcome }) => `${host} ${task} ${outcome}`);

test('a last line that was not written to its end is left out', () => {
  const { results } = parseEvents(`${JSON.stringify(entry('a', 'whole'))}\n{"event": "res`);
  expect(outcomes(results)).toEqual(['a whole ok']);
});

test('a failure that was rescued is none', () => {
  const { results } = attempt(
    entry('a', 'try', { outcome: 'failed' }),
    entry('a', 'rescue'),
    entry('a', 'last', { outcome: 'failed' }),
    { event: 'stats', hosts: { a: { rescued: 1, failures: 1 } } },
  );
  expect(outcomes(results)).toEqual(['a try rescued', 'a rescue ok', 'a last failed']);
  expect(recap(results)).toEqual({
    a: { ok: 1, changed: 0, failed: 1, unreachable: 0, skipped: 0 },
  });
});

test('what had begun and not ended is where a stopped run stood', () => {
  const { open } = attempt(
    { event: 'start', host: 'a', task: 'one' },
    { event: 'start', host: 'b', task: 'one' },
    entry('a', 'one'),
  );
  expect(open).toEqual([{ host: 'b', task: 'one' }]);
});

test('a host that was tried again counts once, with what was changed before it was lost', () => {
  const first = attempt(
    entry('a', 'one'),
    entry('b', 'one', { changed: true }),
    entry('b', 'two', { outcome: 'unreachable' }),
    entry('a', 'two', { outcome: 'failed' }),
  );
  const second = attempt(entry('b', 'one'), entry('b', 'two'));
  expect(unreachable(first.results).map(({ host }) => host)).toEqual(['b']);
  const results = settled([first, second]);
  expect(outcomes(results)).toEqual([
    'a one ok',
    'b one ok',
    'a two failed',
    'b one ok',
    'b two ok',
  ]);
  expect(unreachable(results)).toEqual([]);
});

test('a run came to its end on the other hosts only if Ansible says so', () => {
  const lost = entry('b', 'one', { outcome: 'unreachable' });
  expect(attempt(lost).complete).toBe(false);
  expect(attempt(lost, { event: 'end', complete: false }).complete).toBe(false);
  expect(attempt(lost, { event: 'end', complete: true }).complete).toBe(true);
});
