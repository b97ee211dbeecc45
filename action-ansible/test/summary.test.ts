import { expect, test } from '@jest/globals';
import type { TaskResult } from '../src/events.ts';
import { summary } from '../src/summary.ts';

/** Twelve tasks of two roles, each a second longer than the one before. */
const results = Array.from(
  { length: 12 },
  (_, index): TaskResult => ({
    outcome: index === 11 ? 'failed' : 'ok',
    host: index % 2 === 0 ? 'app-1' : 'db-1',
    task: `${index < 6 ? 'common' : 'docker'} : Task ${index + 1}`,
    path: '/infra/roles/docker/tasks/main.yml',
    line: 10 + index,
    changed: index === 3,
    start: 100,
    end: 101 + index,
    message: index === 11 ? 'no room' : '',
  }),
);
const outcome = { playbook: 'site.yml', check: false, results, ok: false, milliseconds: 61_000 };
const text = summary(outcome, '/infra');

test('the summary counts by host, and names what failed and what changed', () => {
  expect(text).toContain('site.yml failed after 1 min 01 s');
  expect(text).toMatch(/\| app-1 \| 6 \| 0 \| 0 \| 0 \| 0 \|/);
  expect(text).toMatch(/\| db-1 \| 5 \| 1 \| 1 \| 0 \| 0 \|/);
  expect(text).toMatch(
    /\| db-1 \| docker : Task 12 \| roles\/docker\/tasks\/main\.yml:21 \| no room/,
  );
  expect(text).toContain('| db-1 | common : Task 4 |');
});

test('it has the ten slowest tasks, slowest first, and a timeline by host and role', () => {
  const slowest = [...text.matchAll(/^\| [\d.]+ s \| \S+ \| \w+ : Task (\d+) \|$/gm)];
  expect(slowest.map(([, task]) => Number(task))).toEqual([12, 11, 10, 9, 8, 7, 6, 5, 4, 3]);
  expect(text).toMatch(/```mermaid\ngantt\n[\s\S]*section app-1\n[\s\S]*section db-1\n/);
});

test('of very many changes it says that only the first are shown', () => {
  const many = Array.from({ length: 51 }, () => ({ ...results[3] }) as TaskResult);
  const titles = (count: number) =>
    summary({ ...outcome, results: many.slice(0, count) }, '/infra').match(/#### What changed.*/g);
  expect(titles(50)).toEqual(['#### What changed']);
  expect(titles(51)).toEqual(['#### What changed (the first 50 of 51)']);
});
