/** How one of the provider's tests ended; `skip` is the test's own decision. */
export interface Outcome {
  test: string;
  result: 'pass' | 'fail' | 'skip';
}

const ENDED = /^\x16?--- (PASS|FAIL|SKIP): (\w+) \(/;

/**
 * What `-test.v=test2json` printed, for every test that `-test.list` named: one that never
 * said how it ended (a panic, a time-out) failed.
 */
export function readOutcomes(listed: readonly string[], output: string): Outcome[] {
  const ended = new Map<string, Outcome['result']>();
  for (const line of output.split('\n')) {
    const [, result, test] = ENDED.exec(line) ?? [];
    if (test) ended.set(test, result?.toLowerCase() as Outcome['result']);
  }
  return listed.map((test) => ({ test, result: ended.get(test) ?? 'fail' }));
}

export interface Verdict {
  passed: number;
  failed: number;
  skipped: number;
  /** Passed of those that ran, in percent. */
  share: number;
  /** Why the run as a whole is not accepted; empty when it is. */
  complaints: string[];
}

/** The least share of passing tests, in percent. */
const LEAST = 95;

/** Holds a run against the tests that are known not to pass, each with its reason. */
export function judge(outcomes: readonly Outcome[], known: Readonly<Record<string, string>>): Verdict {
  const count = (result: Outcome['result']) =>
    outcomes.filter((outcome) => outcome.result === result).length;
  const passed = count('pass');
  const failed = count('fail');
  const share = Math.round((passed / Math.max(passed + failed, 1)) * 1000) / 10;
  const complaints = outcomes.flatMap(({ test, result }) => {
    if (result === 'pass') return test in known ? [`${test} passes, but is named as known`] : [];
    return test in known ? [] : [`${test}: ${result}, and no reason is named in known.json`];
  });
  if (share < LEAST) complaints.push(`${share} % pass, less than ${LEAST} %`);
  return { passed, failed, skipped: count('skip'), share, complaints };
}
