import { countsOf } from '../plan.ts';
import { makePlan } from '../planning.ts';
import { initialise, type Session } from '../session.ts';
import { countSentence } from '../summary.ts';

/** Says whether the world still is what the configuration says; changes nothing, fails on nothing. */
export async function drift(session: Session): Promise<void> {
  await initialise(session);
  const { plan } = await makePlan(session, 'drift');
  const counts = countsOf(plan);
  if (!counts.changes) return;
  session.runner.warning(`${session.inputs.directoryName} has drifted: ${countSentence(counts)}`);
}
