import { join } from 'node:path';
import { planArgv, showArgv } from './argv.ts';
import { type Cost, costOf } from './cost.ts';
import { planDigest } from './digest.ts';
import { forbiddenDestroys } from './guard.ts';
import { countsOf, type Plan, parsePlan } from './plan.ts';
import { fetchPrices } from './prices.ts';
import { sensitiveValues } from './sensitive.ts';
import type { Session } from './session.ts';
import { planSummary } from './summary.ts';

export interface Planned {
  plan: Plan;
  /** Terraform's own plan file, in clear: it never leaves the work folder. */
  file: string;
  forbidden: string[];
}

/** Plans, masks what is sensitive, sets the outputs and writes the summary. */
export async function makePlan(
  session: Session,
  kind: 'plan' | 'drift',
  destroy = false,
): Promise<Planned> {
  const { inputs, runner } = session;
  const file = join(session.work, 'plan.tfplan');
  const { varFiles, lockTimeout } = inputs;
  const { stdout } = await session.terraform(
    planArgv({ varFiles, lockTimeout, planFile: file, destroy }),
    { allowedExitCodes: [0, 2] },
  );
  const plan = await readPlan(session, file);
  await runner.group('Terraform plan', async () => runner.info(stdout.trimEnd()));

  const forbidden = forbiddenDestroys(plan, inputs.allowDestroy);
  const digest = planDigest(plan);
  const cost = await costIfPriced(session, plan);
  setOutputs(session, plan, digest, cost);
  runner.summary(
    planSummary({ environment: inputs.directoryName, plan, digest, cost, forbidden, kind }),
  );
  return { plan, file, forbidden };
}

/** Terraform's JSON of a plan; its sensitive values are masked from here on. */
export async function readPlan(session: Session, file: string): Promise<Plan> {
  const { stdout } = await session.terraform(showArgv(file));
  const plan = parsePlan(stdout);
  for (const value of sensitiveValues(plan)) session.runner.mask(value);
  return plan;
}

function setOutputs(session: Session, plan: Plan, digest: string, cost: Cost | undefined): void {
  const { runner } = session;
  const counts = countsOf(plan);
  runner.output('changes', counts.changes);
  runner.output('add', counts.add);
  runner.output('change', counts.change);
  runner.output('destroy', counts.destroy);
  runner.output('plan-digest', digest);
  if (cost) runner.output('monthly-cost', cost.after.toFixed(2));
}

/** A plan is no worse without its price, so a catalogue that does not answer is a warning. */
async function costIfPriced(session: Session, plan: Plan): Promise<Cost | undefined> {
  const { inputs, runner } = session;
  if (!inputs.hcloudToken) return undefined;
  try {
    return costOf(plan, await fetchPrices(inputs.hcloudToken, runner.env));
  } catch (error) {
    runner.warning(`The monthly cost is not known: ${(error as Error).message}`);
    return undefined;
  }
}
