import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Step } from '../runner/main.ts';
import type { Runner } from '../runner/runner.ts';
import { connectAll, type Destination } from './connect.ts';
import type { Outcome } from './deploy.ts';
import { freeLeases } from './lease.ts';
import { outcomeMarkdown } from './report.ts';

const tokenState = 'lease-token';

/** What the runner adds to the circumstances of a release. */
export function circumstancesOf({ runner, cancelled }: Step): {
  say: (line: string) => void;
  cancelled: AbortSignal;
  leaseTaken: (token: number) => void;
} {
  const started = Date.now();
  return {
    say: (line) =>
      runner.info(`${((Date.now() - started) / 1000).toFixed(1).padStart(6)} s  ${line}`),
    cancelled,
    leaseTaken: (token) => runner.saveState(tokenState, String(token)),
  };
}

/**
 * Outputs, report file and summary; then throws if the release is not what was asked for.
 * @param action as a person calls it: "Deploy" or "Rollback".
 */
export function conclude(
  runner: Runner,
  action: string,
  environment: string,
  hosts: readonly { name: string }[],
  outcome: Outcome,
): void {
  const report = join(mkdtempSync(join(runner.temp, 'compta-release-')), 'report.json');
  writeFileSync(
    report,
    runner.redact(JSON.stringify({ action, environment, ...outcome }, null, 2)),
  );
  runner.output('status', outcome.status);
  runner.output('version', outcome.version);
  runner.output('previous-version', outcome.previousVersion);
  runner.output('hosts', JSON.stringify(hosts.map((host) => host.name)));
  runner.output('report-file', report);
  runner.summary(outcomeMarkdown(action, environment, outcome));
  if (outcome.status === 'deployed' || outcome.status === 'unchanged') return;
  const end = outcome.status === 'rolled-back' ? 'Everything was rolled back.' : 'See the summary.';
  throw new Error(`${action} of ${outcome.version} failed. ${outcome.problem ?? ''} ${end}`);
}

/** The post step: frees the lease if the main step was killed before it could. */
export async function freeAfter(runner: Runner, destination: () => Destination): Promise<void> {
  const token = Number(runner.state(tokenState));
  if (!Number.isInteger(token) || token === 0) return;
  const { hosts, close } = await connectAll(destination());
  try {
    const freed = await freeLeases(hosts, token);
    if (freed.length > 0) runner.info(`Freed the lease on ${freed.length} hosts.`);
  } finally {
    await close();
  }
}
