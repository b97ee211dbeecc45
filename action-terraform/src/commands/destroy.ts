import { examineBackend } from '../doctor.ts';
import { makePlan, refuseForbidden } from '../planning.ts';
import { initialise, type Session } from '../session.ts';
import { applyFile } from './apply.ts';

/** Takes everything down that `allow-destroy` names, or nothing. */
export async function destroy(session: Session): Promise<void> {
  await initialise(session);
  await examineBackend(session);
  const { file, plan, report } = await makePlan(session, 'plan', 'destroy');
  refuseForbidden(report);
  await applyFile(session, file, plan);
}
