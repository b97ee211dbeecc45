import type { CommandFailed } from '../../lib/process/run.ts';

const PROBES = ['version', 'http', 'k6', 'playwright'] as const;

/** One model for three probes, so that a person reads one table and a machine one file. */
export interface Check {
  probe: (typeof PROBES)[number];
  name: string;
  status: 'passed' | 'failed' | 'flaky' | 'skipped';
  milliseconds: number;
  /** What was measured, or why it failed; '' when there is nothing to add. */
  message: string;
}

/** How a tool ended, without what it printed: that may be a password, and results are kept. */
export function endingOf({ message }: CommandFailed): string {
  return message.replace(/:\n.*/s, ': look above for what it said.');
}

/** Whether the step fails for it. */
export function fails({ status }: Check, failOnFlaky: boolean): boolean {
  return status === 'failed' || (failOnFlaky && status === 'flaky');
}

/** The probes for which the step fails. */
export function failedProbes(checks: readonly Check[], failOnFlaky: boolean): Check['probe'][] {
  const failed = checks.filter((check) => fails(check, failOnFlaky));
  return PROBES.filter((name) => failed.some(({ probe }) => probe === name));
}

/** Nothing failed, and something was tested: skipped checks alone prove nothing. */
export function passed(checks: readonly Check[], failOnFlaky: boolean): boolean {
  return (
    checks.some((check) => check.status !== 'skipped') &&
    !checks.some((check) => fails(check, failOnFlaky))
  );
}
