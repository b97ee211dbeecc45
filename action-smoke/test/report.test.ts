import { describe, expect, test } from '@jest/globals';
import { testsOf } from '../src/playwright.ts';
import { junit, summary } from '../src/report.ts';
import { type Check, failedProbes, passed } from '../src/result.ts';

/** As Playwright's JSON reporter writes it: a suite per file, one more per describe(). */
const report = {
  config: { version: '1.56.0' },
  suites: [
    {
      title: 'login.spec.ts',
      specs: [spec('signs in', 'expected', [{ duration: 120 }])],
      suites: [
        {
          title: 'with a wrong password',
          specs: [
            spec('is refused', 'flaky', [
              { duration: 100, error: { message: '\u001b[31mTimeout\u001b[39m of 5 s\nat login' } },
              { duration: 80 },
            ]),
            spec('is locked out', 'unexpected', [
              { duration: 10, error: { message: 'expected 423, got 200' } },
            ]),
            spec('by SMS', 'skipped', []),
          ],
        },
      ],
    },
  ],
  errors: [],
};

describe("Playwright's report", () => {
  test('gives one check per test, nested ones too, retries added up, colours gone', () => {
    expect(testsOf(JSON.stringify(report))).toEqual([
      check('signs in', 'passed', 120, ''),
      check('is refused', 'flaky', 180, 'Timeout of 5 s'),
      check('is locked out', 'failed', 10, 'expected 423, got 200'),
      check('by SMS', 'skipped', 0, ''),
    ]);
  });

  test('tells of what failed outside of any test', () => {
    const broken = { suites: [], errors: [{ message: 'SyntaxError: login.spec.ts: line 3' }] };
    expect(testsOf(JSON.stringify(broken))).toEqual([
      check('outside of the tests', 'failed', 0, 'SyntaxError: login.spec.ts: line 3'),
    ]);
  });

  test('that is none is no success', () => {
    expect(() => testsOf('{}')).toThrow(/suites/);
  });
});

describe('the verdict', () => {
  test.each<[Check['status'][], boolean, boolean]>([
    [[], true, false],
    [['skipped', 'skipped'], true, false],
    [['passed', 'skipped'], true, true],
    [['passed', 'flaky'], true, false],
    [['passed', 'flaky'], false, true],
    [['passed', 'failed'], false, false],
  ])('of %j, flaky ones failing: %j', (statuses, failOnFlaky, verdict) => {
    const checks = statuses.map((status) => check('x', status, 1, ''));
    expect(passed(checks, failOnFlaky)).toBe(verdict);
  });
});

test('the probes that failed are told once each, in one order', () => {
  const checks = [
    ...testsOf(JSON.stringify(report)),
    { ...check('load', 'flaky', 1, ''), probe: 'k6' as const },
    { ...check('/', 'failed', 1, ''), probe: 'http' as const },
    { ...check('/api/version', 'passed', 1, ''), probe: 'version' as const },
  ];
  expect(failedProbes(checks, true)).toEqual(['http', 'k6', 'playwright']);
  expect(failedProbes(checks, false)).toEqual(['http', 'playwright']);
});

test('the summary has the bad ones first', () => {
  const checks = testsOf(JSON.stringify(report));
  const names = [...summary(checks, false, 'https://x.test').matchAll(/playwright \| ([^|]+) \|/g)];
  expect(names.map(([, name]) => name)).toEqual([
    'is refused',
    'is locked out',
    'signs in',
    'by SMS',
  ]);
});

test.each([
  [true, 2, '><failure message="passed only on retry: Timeout of 5 s"/></testcase>'],
  [false, 1, '/>'],
])(
  'JUnit tells failed and skipped tests, flaky ones failing: %j',
  (failOnFlaky, failures, flaky) => {
    expect(junit(testsOf(JSON.stringify(report)), failOnFlaky).split('\n')).toEqual([
      '<?xml version="1.0" encoding="UTF-8"?>',
      `<testsuite name="smoke" tests="4" failures="${failures}">`,
      '  <testcase classname="playwright" name="signs in" time="0.12"/>',
      `  <testcase classname="playwright" name="is refused" time="0.18"${flaky}`,
      '  <testcase classname="playwright" name="is locked out" time="0.01"><failure message="expected 423, got 200"/></testcase>',
      '  <testcase classname="playwright" name="by SMS" time="0"><skipped/></testcase>',
      '</testsuite>',
      '',
    ]);
  },
);

test('JUnit stays XML whatever a tool has printed', () => {
  const printed = check('é😀', 'failed', 1, '\u001b[31m"<k6>"\u0000\nended');
  const [, , testcase] = junit([printed], true).split('\n');
  expect(testcase).toContain('name="é😀"');
  expect(testcase).toContain('message="[31m&quot;&lt;k6&gt;&quot;&#10;ended"');
});

function spec(title: string, status: string, results: object[]) {
  return {
    title,
    ok: status !== 'unexpected',
    tests: [{ projectName: 'chromium', status, results }],
  };
}

function check(
  name: string,
  status: Check['status'],
  milliseconds: number,
  message: string,
): Check {
  return { probe: 'playwright', name, status, milliseconds, message };
}
