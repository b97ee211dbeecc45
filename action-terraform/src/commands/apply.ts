import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { elapsed, verdict } from '../../../lib/report/markdown.ts';
import type { Artifacts } from '../../../lib/runner/artifacts.ts';
import { applyArgv } from '../argv.ts';
import { currentBinding } from '../bind.ts';
import { planDigest } from '../digest.ts';
import { examineBackend } from '../doctor.ts';
import { StepFailed } from '../failure.ts';
import { locked } from '../locking.ts';
import { writeOutputs } from '../outputs.ts';
import { type Parcel, unpacked } from '../parcel.ts';
import { countsOf, type Plan } from '../plan.ts';
import { readPlan } from '../planning.ts';
import { liftingProtection } from '../protection.ts';
import { keepingState } from '../rescue.ts';
import { opening, PlanRefused } from '../seal.ts';
import { initialiseBeside, type Session } from '../session.ts';
import { sideBySide } from '../side-by-side.ts';
import { isStale, staleness } from '../staleness.ts';
import { readState } from '../state.ts';
import { countSentence } from '../summary.ts';
import { receivePlan } from '../travel.ts';

/** Applies exactly the plan of this run, or nothing. */
export async function apply(session: Session, artifacts: Artifacts, key: string): Promise<void> {
  const parcel = await received(session, artifacts, key).catch(asFailure);
  const file = join(session.work, 'plan.tfplan');
  await writeFile(file, parcel.file, { mode: 0o600 });
  const { plan } = await readPlan(session, file, parcel.json);
  await applyFile(session, file, plan);
}

/** The plan of this run, opened with what this step is bound to; over a backend that locks. */
async function received(session: Session, artifacts: Artifacts, key: string): Promise<Parcel> {
  const [[{ lineage, serial }, binding], open] = await initialiseBeside(
    session,
    () => sideBySide(readState(session), currentBinding(session, key), examineBackend(session)),
    async () => opening(await receivePlan(session, artifacts), key),
  );
  const now = { ...binding, stateLineage: lineage, stateSerial: serial };
  return unpacked(
    await open(now).catch(async (error) => {
      throw isStale(error) ? await staleness(session, open, error) : error;
    }),
  );
}

function asFailure(error: unknown): never {
  if (!(error instanceof PlanRefused)) throw error;
  throw new StepFailed('plan-refused', error.message, error.cause);
}

/** Applies a plan file, live in the log, and leaves the outputs for the next step. */
export async function applyFile(session: Session, file: string, plan: Plan): Promise<void> {
  const { inputs, runner } = session;
  const counts = countsOf(plan);
  runner.output('changes', counts.changes);
  runner.output('add', counts.add);
  runner.output('change', counts.change);
  runner.output('destroy', counts.destroy);
  runner.output('plan-digest', planDigest(plan));

  const start = Date.now();
  await runner.group('Terraform apply', () =>
    liftingProtection(session, plan, (env) =>
      keepingState(session, () =>
        locked(session, (lockTimeout) => applyArgv(file, lockTimeout), { live: true, env }),
      ),
    ),
  );
  await writeOutputs(session);
  const took = elapsed(Date.now() - start);
  runner.summary(
    counts.changes
      ? verdict('passed', `${inputs.directoryName} applied in ${took}: ${countSentence(counts)}`)
      : verdict('unchanged', `${inputs.directoryName} is as planned: nothing to apply`),
  );
}
