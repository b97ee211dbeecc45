import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { carryOut } from '../../lib/migration/migration.ts';
import { reach } from '../../lib/migration/reach.ts';
import { type Report, reportJson } from '../../lib/migration/report.ts';
import { summary } from '../../lib/migration/summary.ts';
import { identity } from '../../lib/release/inputs.ts';
import type { Step } from '../../lib/runner/main.ts';
import type { Runner } from '../../lib/runner/runner.ts';
import { openToRunner } from '../../lib/runner-access/step.ts';
import { readInputs } from './inputs.ts';

export async function run(step: Step): Promise<void> {
  const { runner, cancelled } = step;
  const { request, inventory, privateKey } = readInputs(runner);
  await openToRunner(step, inventory);
  const report = await reach(inventory, privateKey, runner.temp, (places) =>
    carryOut(request, {
      ...places,
      ...identity(runner.env),
      env: runner.env,
      cancelled,
      say: (line) => runner.info(line),
      // Where the post step looks for a lease that this one could not free.
      leaseTaken: (token) => runner.saveState('lease-token', String(token)),
      workspace: runner.env.GITHUB_WORKSPACE ?? process.cwd(),
      mask: (secret) => runner.mask(secret),
      annotate: (message, at) => runner.warning(message, at),
    }),
  );
  conclude(runner, report);
}

/** Outputs, report file and summary; then throws if something is wrong. */
function conclude(runner: Runner, report: Report): void {
  const file = join(mkdtempSync(join(runner.temp, 'compta-migration-')), 'report.json');
  writeFileSync(file, runner.redact(reportJson(report)));
  runner.output('previous-schema-version', report.before);
  runner.output('schema-version', report.after);
  runner.output('pending', report.pending.length);
  runner.output('applied', report.applied.length);
  runner.output('backup-path', report.backup?.path ?? '');
  runner.output('restore-point', report.restorePoint?.name ?? '');
  runner.output('report-file', file);
  runner.summary(summary(report));
  for (const remark of report.remarks) runner.warning(`${report.database}: ${remark}`);
  for (const line of report.wayBack) runner.info(line);
  const { database, problems } = report;
  if (problems.length > 0) throw new Error(`${database}: ${problems.join('\n')}`);
}
