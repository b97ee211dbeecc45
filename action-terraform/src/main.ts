import { verdict } from '../../lib/report/markdown.ts';
import { githubArtifacts } from '../../lib/runner/artifacts.ts';
import type { Step } from '../../lib/runner/main.ts';
import { apply } from './commands/apply.ts';
import { destroy } from './commands/destroy.ts';
import { doctor } from './commands/doctor.ts';
import { drift } from './commands/drift.ts';
import { fmt } from './commands/fmt.ts';
import { output } from './commands/output.ts';
import { plan } from './commands/plan.ts';
import { refresh } from './commands/refresh.ts';
import { unlock } from './commands/unlock.ts';
import { validate } from './commands/validate.ts';
import { StepFailed } from './failure.ts';
import { readInputs } from './inputs.ts';
import { openSession, type Session } from './session.ts';

/** One Terraform command, with its reason as an output when it fails. */
export async function run({ runner, cancelled }: Step): Promise<void> {
  const inputs = readInputs(runner);
  try {
    await execute(await openSession(inputs, runner, cancelled));
  } catch (error) {
    const reason = error instanceof StepFailed ? error.reason : 'failed';
    runner.output('failure-reason', reason);
    runner.summary(verdict('failed', `terraform ${inputs.command} failed: ${reason}`));
    throw error;
  }
}

async function execute(session: Session): Promise<void> {
  const key = session.inputs.planKey ?? '';
  switch (session.inputs.command) {
    case 'fmt':
      return fmt(session);
    case 'validate':
      return validate(session);
    case 'plan':
      return plan(session, githubArtifacts(), key);
    case 'apply':
      return apply(session, githubArtifacts(), key);
    case 'destroy':
      return destroy(session);
    case 'output':
      return output(session);
    case 'refresh':
      return refresh(session);
    case 'drift':
      return drift(session);
    case 'doctor':
      return doctor(session);
    case 'unlock':
      return unlock(session);
  }
}
