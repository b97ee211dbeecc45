import { join } from 'node:path';
import { fmtArgv } from '../argv.ts';
import { StepFailed } from '../failure.ts';
import type { Session } from '../session.ts';

/** One annotation for each file that `terraform fmt` would change. */
export async function fmt(session: Session): Promise<void> {
  const { inputs, runner } = session;
  const { stdout } = await session.terraform(fmtArgv, { allowedExitCodes: [0, 3] });
  const files = stdout.split('\n').filter((line) => /^\S+\.(tf|tfvars|tftest\.hcl)$/.test(line));
  if (files.length === 0) return;
  runner.info(stdout);
  for (const file of files) {
    runner.warning('Not in canonical format: run terraform fmt.', {
      file: join(inputs.directoryName, file),
      startLine: 1,
    });
  }
  throw new StepFailed('not-formatted', `Not in canonical format: ${files.join(', ')}`);
}
