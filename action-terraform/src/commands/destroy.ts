import { makePlan } from '../planning.ts';
import { initialise, type Session } from '../session.ts';
import { applyFile } from './apply.ts';
import { refuseForbidden } from './plan.ts';

/** Takes everything down that `allow-destroy` names, or nothing. */
export async function destroy(session: Session): Promise<void> {
  await initialise(session);
  const { file, plan, forbidden } = await makePlan(session, 'plan', true);
  refuseForbidden(forbidden);
  await applyFile(session, file, plan);
}
