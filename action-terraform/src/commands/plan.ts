import { readFile } from 'node:fs/promises';
import type { Artifacts } from '../../../lib/runner/artifacts.ts';
import { currentBinding } from '../bind.ts';
import { packed } from '../parcel.ts';
import { makePlan, refuseForbidden } from '../planning.ts';
import { seal } from '../seal.ts';
import { initialise, type Session } from '../session.ts';
import { sendPlan } from '../travel.ts';

/** Plans, shows the plan to whoever must judge it, and leaves it sealed for `apply`. */
export async function plan(session: Session, artifacts: Artifacts, key: string): Promise<void> {
  await initialise(session);
  const binding = await currentBinding(session, key);
  const { file, json, report, state } = await makePlan(session, 'plan');
  refuseForbidden(report);
  const sealed = seal(packed({ file: await readFile(file), json }), key, {
    ...binding,
    stateLineage: state.lineage,
    stateSerial: state.serial,
  });
  session.runner.output('plan-path', await sendPlan(session, sealed, artifacts));
}
