import { verdict } from '../../../lib/report/markdown.ts';
import { applyArgv } from '../argv.ts';
import { examineBackend } from '../doctor.ts';
import { StepFailed } from '../failure.ts';
import { locked } from '../locking.ts';
import { writeOutputs } from '../outputs.ts';
import { countsOf, kindOf } from '../plan.ts';
import { drawPlan } from '../planning.ts';
import { keepingState } from '../rescue.ts';
import { initialise, type Session } from '../session.ts';

/**
 * Takes into the state and its outputs what changed at Hetzner, such as the label of a renewed
 * host key; nothing is changed there. What is gone there is not forgotten here: with the token of
 * another project that would be everything.
 *
 * @throws StepFailed 'refresh-refused'
 */
export async function refresh(session: Session): Promise<void> {
  const { runner, inputs } = session;
  await initialise(session);
  await examineBackend(session);
  const { plan, file } = await drawPlan(session, 'refresh-only');
  const moved = plan.resource_drift.map(({ address }) => address);
  const gone = plan.resource_drift.filter(({ change }) => kindOf(change) === 'delete');
  if (gone.length > 0) {
    const names = gone.map(({ address }) => address).join(', ');
    throw new StepFailed(
      'refresh-refused',
      `Hetzner does not have ${names} any more: check that 'hcloud-token' is of this project, and plan, which shows what would be made anew.`,
    );
  }
  if (moved.length > 0 || countsOf(plan).changes) {
    await keepingState(session, () =>
      locked(session, (lockTimeout) => applyArgv(file, lockTimeout), { live: true }),
    );
  }
  await writeOutputs(session);
  runner.summary(
    moved.length > 0
      ? verdict('passed', `${inputs.directoryName}: the state follows ${moved.join(', ')}`)
      : verdict('unchanged', `${inputs.directoryName}: the state is what Hetzner has`),
  );
}
