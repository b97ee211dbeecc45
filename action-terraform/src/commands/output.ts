import { writeOutputs } from '../outputs.ts';
import { initialise, type Session } from '../session.ts';

/** Leaves the outputs of what was applied in a file for the next steps. */
export async function output(session: Session): Promise<void> {
  await initialise(session);
  const names = await writeOutputs(session);
  session.runner.info(`Outputs: ${names.join(', ') || 'none'}`);
}
