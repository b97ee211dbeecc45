import { describe, expect, test } from '@jest/globals';
import type { Finding } from '../src/findings.ts';
import { acceptanceOf, careFor, readIgnoreFile } from '../src/ignore-file.ts';

const hole: Finding = {
  kind: 'vulnerability',
  severity: 'CRITICAL',
  id: 'CVE-2021-44228',
  title: 'Log4Shell',
  subject: 'log4j-core 2.14.1',
  path: 'app/lib/log4j-core-2.14.1.jar',
  fixedIn: '2.15.0',
  platform: 'linux/amd64',
};
const until = (entry: string) =>
  readIgnoreFile(
    `vulnerabilities: [{ id: CVE-2021-44228, statement: not reachable${entry} }]`,
    'accepted.yaml',
  );

describe('an entry lets its finding pass', () => {
  test.each([
    ['on its last day', ', expired_at: 2026-11-23', '2026-11-23', true],
    ['not the day after', ', expired_at: 2026-11-23', '2026-11-24', false],
    ['not in the year after', ', expired_at: 2026-12-31', '2027-01-01', false],
    ['for ever when it has no last day', '', '2099-01-01', true],
    ['where its path is', ', paths: [app/lib/*.jar]', '2026-11-23', true],
    ['where its path is, with a leading slash', ', paths: ["/app/**"]', '2026-11-23', true],
    ['nowhere else', ', paths: [opt/**]', '2026-11-23', false],
  ])('%s', (_when, entry, today, passes) => {
    expect(acceptanceOf(hole, until(entry), today) !== undefined).toBe(passes);
  });

  test('of its own kind only', () => {
    const [asSecret] = readIgnoreFile(
      'secrets: [{ id: CVE-2021-44228, statement: x }]',
      'accepted.yaml',
    );
    expect(asSecret && acceptanceOf(hole, [asSecret], '2026-11-23')).toBeUndefined();
  });
});

test('expired entries and those that nothing needs are told apart', () => {
  const used = until('');
  const expired = until(', expired_at: 2026-11-22');
  const unused = readIgnoreFile('secrets: [{ id: private-key, statement: test key }]', 'x');
  const care = careFor([...used, ...expired, ...unused], [hole], '2026-11-23');
  expect(care).toEqual({ expired, unused });
});

test.each([
  ['a mistyped key, which Trivy takes for "never"', ', expires: 2026-11-23', 'expires'],
  ['a date that there is not', ', expired_at: 2026-02-30', 'expired_at'],
])('%s is refused', (_what, entry, named) => {
  expect(() => until(entry)).toThrow(named);
});

test('an entry without a reason is refused, naming the file', () => {
  const text = 'vulnerabilities: [{ id: CVE-1 }]';
  expect(() => readIgnoreFile(text, 'accepted.yaml')).toThrow(/accepted\.yaml.*statement/s);
});

test('what is no YAML is refused, naming input and file', () => {
  const said = /Input 'ignore-file' names accepted\.yaml, which is not YAML/;
  expect(() => readIgnoreFile('secrets: [', 'accepted.yaml')).toThrow(said);
});

test('an empty file accepts nothing', () => {
  expect(readIgnoreFile('', 'accepted.yaml')).toEqual([]);
});
