import { readFile } from 'node:fs/promises';
import type { Artifacts } from '../../../lib/runner/artifacts.ts';
import { currentBinding } from '../bind.ts';
import { packed } from '../parcel.ts';
import { makePlan, refuseForbidden } from '../planning.ts';
import { sealing } from '../seal.ts';
import { initialiseBeside, type Session } from '../session.ts';
import { clearPlan, sendPlan } from '../travel.ts';

/** Plans, shows the plan to whoever must judge it, and leaves it sealed for `apply`. */
export async function plan(session: Session, artifacts: Artifacts, key: string): Promise<void> {
  const [sealed] = await initialiseBeside(
    session,
    () => sealedPlan(session, key),
    () => clearPlan(session, artifacts),
  );
  session.runner.output('plan-path', await sendPlan(session, sealed, artifacts));
}

async function sealedPlan(session: Session, key: string): Promise<Buffer> {
  const seal = sealing(key);
  const binding = await currentBinding(session, key);
  const { file, json, report, state } = await makePlan(session, 'plan');
  refuseForbidden(report);
  return seal(packed({ file: await readFile(file), json }), {
    ...binding,
    stateLineage: state.lineage,
    stateSerial: state.serial,
  });
}
