import { initialise, type Session } from '../session.ts';

/** Frees the one lock that a person names; Terraform refuses when the state has another one. */
export async function unlock(session: Session): Promise<void> {
  const { lockId = '', directoryName } = session.inputs;
  await initialise(session);
  await session.terraform(['force-unlock', '-force', lockId]);
  session.runner.warning(`Freed the state lock ${lockId} of ${directoryName}, as asked for.`, {
    title: 'State unlocked',
  });
}
