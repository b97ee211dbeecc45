import { join } from 'node:path';
import { z } from 'zod';
import type { Annotation } from '../../../lib/runner/runner.ts';
import { initWithoutBackendArgv, validateArgv } from '../argv.ts';
import { StepFailed } from '../failure.ts';
import { withProviders } from '../plugins.ts';
import type { Session } from '../session.ts';

const schema = z.object({
  valid: z.boolean(),
  diagnostics: z.array(
    z.object({
      severity: z.enum(['error', 'warning']),
      summary: z.string(),
      detail: z.string().default(''),
      range: z.object({ filename: z.string(), start: z.object({ line: z.number() }) }).optional(),
    }),
  ),
});

/** One annotation on its line for each thing that Terraform finds. */
export async function validate(session: Session): Promise<void> {
  const { inputs, runner } = session;
  await withProviders(session, () => session.terraform(initWithoutBackendArgv));
  const { stdout } = await session.terraform(validateArgv, { allowedExitCodes: [0, 1] });
  const { valid, diagnostics } = schema.parse(JSON.parse(stdout));
  for (const { severity, summary, detail, range } of diagnostics) {
    const at: Annotation = { title: summary };
    if (range) {
      at.file = join(inputs.directoryName, range.filename);
      at.startLine = range.start.line;
    }
    // The step's own error is the one that fails it; these point at the lines.
    if (severity === 'error') runner.error(detail || summary, at);
    else runner.warning(detail || summary, at);
  }
  if (!valid) {
    const count = diagnostics.filter(({ severity }) => severity === 'error').length;
    throw new StepFailed('not-valid', `${inputs.directoryName} is not valid: ${count} errors`);
  }
}
