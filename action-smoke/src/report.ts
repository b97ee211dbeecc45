import { elapsed, escapeHtml, table, verdict } from '../../lib/report/markdown.ts';
import { type Check, fails } from './result.ts';

const SIGN: Record<Check['status'], string> = {
  passed: '✅',
  failed: '❌',
  flaky: '⚠️ flaky',
  skipped: '➖ skipped',
};

export function summary(checks: readonly Check[], ok: boolean, baseUrl: string): string {
  const bad = checks.filter((check) => check.status === 'failed' || check.status === 'flaky');
  const sentence = ok
    ? `${checks.length} checks passed at ${baseUrl}`
    : `${bad.length} of ${checks.length} checks did not pass at ${baseUrl}`;
  const worstFirst = [...bad, ...checks.filter((check) => !bad.includes(check))];
  return [
    verdict(ok ? 'passed' : 'failed', sentence),
    '',
    table(
      ['', 'probe', 'check', 'time', 'measured or said'],
      worstFirst.map((check) => [
        SIGN[check.status],
        check.probe,
        check.name,
        elapsed(check.milliseconds),
        check.message,
      ]),
    ),
  ].join('\n');
}

/** JUnit as the common readers take it: https://github.com/testmoapp/junitxml */
export function junit(checks: readonly Check[], failOnFlaky: boolean): string {
  const failures = checks.filter((check) => fails(check, failOnFlaky)).length;
  const cases = checks.map((check) => {
    const name = attribute(check.name);
    const open = `  <testcase classname="${check.probe}" name="${name}" time="${check.milliseconds / 1000}"`;
    if (fails(check, failOnFlaky)) {
      const message = `${check.status === 'flaky' ? 'passed only on retry: ' : ''}${check.message}`;
      return `${open}><failure message="${attribute(message)}"/></testcase>`;
    }
    return check.status === 'skipped' ? `${open}><skipped/></testcase>` : `${open}/>`;
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuite name="smoke" tests="${checks.length}" failures="${failures}">`,
    ...cases,
    '</testsuite>',
    '',
  ].join('\n');
}

/** Without the control characters of what tools print, which XML has no way to write. */
function attribute(text: string): string {
  return escapeHtml(text.replaceAll(/[^\t\n\r\u0020-\ufffd\u{10000}-\u{10ffff}]/gu, ''))
    .replaceAll('"', '&quot;')
    .replaceAll('\n', '&#10;');
}
