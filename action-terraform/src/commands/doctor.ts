import { verdict } from '../../../lib/report/markdown.ts';
import { examineBackend } from '../doctor.ts';
import { initialise, type Session } from '../session.ts';

/** Says whether the state's lock can be trusted; what `apply` asks before it begins. */
export async function doctor(session: Session): Promise<void> {
  await initialise(session);
  await examineBackend(session);
  session.runner.summary(
    verdict(
      'passed',
      `${session.inputs.directoryName}: the backend's lock excludes everybody else`,
    ),
  );
}
