import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { differingChanges } from './digest.ts';
import { StepFailed } from './failure.ts';
import { unpacked } from './parcel.ts';
import { drawPlan, readPlan } from './planning.ts';
import { type Open, PlanForOther } from './seal.ts';
import type { Session } from './session.ts';

/** Whether nothing but the state is other than it was: the plan is ours, but too old. */
export function isStale(refused: unknown): refused is PlanForOther {
  if (!(refused instanceof PlanForOther)) return false;
  // A state gets its lineage when it is first written.
  const isFirst = refused.sealed.stateLineage === '';
  return refused.fields.every(
    (field) => field === 'stateSerial' || (field === 'stateLineage' && isFirst),
  );
}

/**
 * Tells a state that only moved from one that moved under the plan's feet: plans once more, and
 * compares what the two plans would do. Neither is applied.
 */
export async function staleness(
  session: Session,
  open: Open,
  refused: PlanForOther,
): Promise<StepFailed> {
  const file = join(session.work, 'stale.tfplan');
  // Under its own binding: a forged one does not open.
  const parcel = unpacked(await open(refused.sealed));
  await writeFile(file, parcel.file, { mode: 0o600 });
  const { plan: before } = await readPlan(session, file, parcel.json);
  const { plan: now } = await drawPlan(session, 'normal', 'fresh.tfplan');
  const differing = differingChanges(before, now);
  const verdict =
    differing.length === 0
      ? 'A new plan would do exactly the same.'
      : `A new plan would differ at:\n${differing.map((address) => `- ${address}`).join('\n')}`;
  return new StepFailed('plan-stale', `${refused.message}\n${verdict}`);
}
