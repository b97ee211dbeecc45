import { expect, test } from '@jest/globals';
import { code, cutToBytes, details, elapsed, table, timeline } from '../markdown.ts';

test('a table survives pipes and line breaks in its cells', () => {
  expect(table(['a'], [['x | y\nz']])).toBe('| a |\n|---|\n| x \\| y<br>z |');
  expect(table(['a'], [])).toBe('_none_');
});

test('a fence is longer than any run of backticks inside', () => {
  expect(code('a ```` b')).toBe('`````\na ```` b\n`````');
});

test('text is cut at a line, by bytes, and says so', () => {
  expect(cutToBytes('é\né\né\né', 9, 'cut')).toBe('é\n\ncut');
  expect(cutToBytes('short', 100, 'cut')).toBe('short');
});

test('a note on what was cut does not hide in a fold', () => {
  const folded = details('more', Array.from({ length: 50 }, (_, row) => `row ${row}`).join('\n'));
  const text = cutToBytes(folded, 200, 'cut');
  expect(text).toMatch(/row \d+\n\n<\/details>\n\ncut$/);
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(200);
  const after = `${details('more', 'row')}\n${'x\n'.repeat(200)}`;
  expect(cutToBytes(after, 200, 'cut').split('</details>')).toHaveLength(2);
});

test.each([
  [850, '850 ms'],
  [12_340, '12.3 s'],
  [245_000, '4 min 05 s'],
])('%i ms reads %s', (milliseconds, text) => expect(elapsed(milliseconds)).toBe(text));

test('a timeline counts seconds from its first span and marks what failed', () => {
  const spans = [
    { section: 'app-1', label: 'auth: roll', start: 10_000, end: 12_000 },
    { section: 'app-1', label: 'gateway', start: 12_000, end: 12_100, failed: true },
  ];
  const text = timeline('Deploy', spans);
  expect(text).toContain('auth  roll :0, 2s');
  expect(text).toContain('gateway :crit, 2, 1s');
});
