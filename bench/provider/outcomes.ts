/** How one of the provider's tests ended; `skip` is the test's own decision. */
export interface Outcome {
  test: string;
  result: 'pass' | 'fail' | 'skip';
}

/** Test2json's own lines begin with a control character, so that output cannot pass for them. */
const ENDED = /^.?--- (PASS|FAIL|SKIP): (\w+) \(/;

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

/** Tests that are known not to pass, each with its reason. */
export interface Known {
  /** They run, and the API under them falls short. */
  failing: Record<string, string>;
  /** They need what is outside the API: an older provider, a newer Terraform, a domain. */
  notRunnable: Record<string, string>;
}

export function reasonOf(test: string, { failing, notRunnable }: Known): string | undefined {
  return failing[test] ?? notRunnable[test];
}

export interface Verdict {
  passed: number;
  failed: number;
  notRunnable: number;
  /** Passed of those that could run, in percent. */
  share: number;
  /** Tests that ended otherwise than known.json says. */
  surprises: string[];
}

/** Holds a run against what is known. */
export function judge(outcomes: readonly Outcome[], known: Known): Verdict {
  const passed = outcomes.filter(({ result }) => result === 'pass').length;
  const notRunnable = outcomes.filter(
    ({ test, result }) => result !== 'pass' && test in known.notRunnable,
  ).length;
  const ran = outcomes.length - notRunnable;
  const surprises = outcomes.flatMap(({ test, result }) => {
    const reason = reasonOf(test, known);
    if (result === 'pass') return reason ? [`${test} passes, but known.json names it`] : [];
    return reason ? [] : [`${test}: ${result}, and known.json names no reason`];
  });
  return {
    passed,
    failed: ran - passed,
    notRunnable,
    share: Math.round((passed / Math.max(ran, 1)) * 1000) / 10,
    surprises,
  };
}
