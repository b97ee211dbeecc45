import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { code, verdict } from '../report/markdown.ts';
import { messageOf, type Step } from '../runner/main.ts';
import type { Runner } from '../runner/runner.ts';
import type { Circumstances, Outcome } from './bring.ts';
import { type Connected, connectAll, type Destination, mayLeave, namesOf } from './connect.ts';
import { LeaseLostError } from './host.ts';
import { freeLeases } from './lease.ts';
import type { Preview } from './preview.ts';
import { progressTable, type Tell } from './progress.ts';
import { outcomeMarkdown, previewMarkdown } from './report.ts';

/** Where a main step leaves the token for {@link freeAfter}. */
export const LEASE_STATE = 'lease-token';

/** What the runner adds to the circumstances of a release. */
export function circumstancesOf(
  { runner, cancelled }: Step,
  hosts: readonly { name: string }[],
): Pick<Circumstances, 'tell' | 'cancelled' | 'leaseTaken'> {
  return {
    tell: logTo(runner, hosts),
    cancelled,
    leaseTaken: (token) => runner.saveState(LEASE_STATE, String(token)),
  };
}

/** The event log, as a table in the runner's log. */
export function logTo(runner: Runner, hosts: readonly { name: string }[]): Tell {
  const widest = Math.max(0, ...hosts.map(({ name }) => name.length));
  return progressTable((line) => runner.info(line), widest);
}

/** Says which hosts are skipped, where nobody can miss it. @throws ReleaseFailure when they must not be. */
export async function leaveBehind(runner: Runner, { hosts, absent }: Connected): Promise<void> {
  if (absent.length === 0) return;
  await mayLeave(hosts, absent);
  runner.warning(
    `Nobody answers at ${namesOf(absent)}: left behind. When it is back it stays out of ` +
      'rotation until `compta converge` or the next deploy.',
  );
}

/** A release that failed, and of which outputs and summary tell already. */
class ReleaseFailed extends Error {
  override readonly name = 'ReleaseFailed';
}

/**
 * Carries out a release that ends in {@link conclude}; of one that is refused or stopped before, outputs
 * and summary tell as well. The version may not be known.
 */
export async function concluded(
  { runner, cancelled }: Step,
  { action, environment, version }: { action: string; environment: string; version: string },
  body: () => Promise<void>,
): Promise<void> {
  try {
    await body();
  } catch (error) {
    if (error instanceof ReleaseFailed) throw error;
    const stopped = cancelled.aborted || error instanceof LeaseLostError;
    const what = `${environment}: ${action.toLowerCase()}${version && ` of ${version}`}`;
    const end = stopped
      ? 'was stopped; what is there is whole, and the next run takes it up'
      : 'was refused; nothing was swapped';
    runner.output('status', 'failed');
    runner.output('version', version);
    const sentence = verdict(stopped ? 'cancelled' : 'failed', `${what} ${end}`);
    runner.summary(`${sentence}\n\n${code(messageOf(error))}`);
    throw error;
  }
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
  runner.output('release', outcome.release);
  runner.output('previous-version', outcome.previousVersion);
  runner.output('maintenance', String(outcome.maintenance ?? false));
  runner.output('hosts', JSON.stringify(hosts.map((host) => host.name)));
  runner.output('report-file', report);
  runner.summary(outcomeMarkdown(action, environment, outcome));
  if (outcome.maintenance) {
    runner.warning(
      'Users are shown the maintenance page: at the public address nothing was asked, and nothing is proven there.',
    );
  }
  if (outcome.status === 'deployed' || outcome.status === 'unchanged') return;
  const end = outcome.status === 'rolled-back' ? 'Everything was rolled back.' : 'See the summary.';
  throw new ReleaseFailed(
    `${action} of ${outcome.version} failed. ${outcome.problem ?? ''} ${end}`,
  );
}

/** Outputs, log and summary of a dry run. */
export function concludeDry(
  runner: Runner,
  environment: string,
  hosts: readonly { name: string }[],
  found: Preview,
): void {
  const markdown = previewMarkdown(environment, found);
  runner.output('status', 'unchanged');
  runner.output('version', found.version);
  runner.output('hosts', JSON.stringify(hosts.map((host) => host.name)));
  runner.summary(markdown);
  runner.info(markdown);
}

/** The post step: frees the lease, on every server that answers, if the main step was killed before it could. */
export async function freeAfter(
  runner: Runner,
  destination: () => Destination | Promise<Destination>,
): Promise<void> {
  const token = Number(runner.state(LEASE_STATE));
  if (!Number.isInteger(token) || token === 0) return;
  const { hosts, close } = await connectAll({ ...(await destination()), unreachable: 'skip' });
  try {
    const freed = await freeLeases(hosts, token);
    if (freed.length > 0) runner.info(`Freed the lease on ${freed.length} hosts.`);
  } finally {
    await close();
  }
}
