import type { CommandFailed } from '../../lib/process/run.ts';

/** One model for three probes, so that a person reads one table and a machine one file. */
export interface Check {
  probe: 'version' | 'http' | 'k6' | 'playwright';
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

/** Nothing failed, and something was tested: skipped checks alone prove nothing. */
export function passed(checks: readonly Check[], failOnFlaky: boolean): boolean {
  return (
    checks.some((check) => check.status !== 'skipped') &&
    !checks.some((check) => fails(check, failOnFlaky))
  );
}
