import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Runner } from '../../lib/runner/runner.ts';
import { type Adoption, findAdoptions, importBlocks } from './adoption.ts';
import { planArgv, showArgv } from './argv.ts';
import { type Cost, costOf } from './cost.ts';
import { planDigest } from './digest.ts';
import { forbiddenDestroys } from './guard.ts';
import { type HetznerApi, hetznerApi } from './hetzner.ts';
import { locked } from './locking.ts';
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
  const api = inputs.hcloudToken ? hetznerApi(inputs.hcloudToken, runner.env) : undefined;
  const adopting = kind === 'plan' && !destroy ? api : undefined;
  const { plan, file, text } = await adoptingPlan(session, destroy, adopting);
  await runner.group('Terraform plan', async () => runner.info(text.trimEnd()));

  const forbidden = forbiddenDestroys(plan, inputs.allowDestroy);
  const digest = planDigest(plan);
  const cost = api && (await costIfPriced(runner, plan, api));
  setOutputs(session, plan, digest, cost);
  runner.summary(
    planSummary({ environment: inputs.directoryName, plan, digest, cost, forbidden, kind }),
  );
  return { plan, file, forbidden };
}

interface Drawn {
  plan: Plan;
  file: string;
  text: string;
}

/** A file of the root module for as long as a plan is made; the plan keeps what it said. */
const IMPORTS = 'compta-adopt.tf';
/** A network first, then its subnets and servers, then what hangs on those. */
const ROUNDS = 3;

/** Plans until nothing is to be created that the API has already. */
async function adoptingPlan(
  session: Session,
  destroy: boolean,
  api: HetznerApi | undefined,
): Promise<Drawn> {
  const imports = join(session.inputs.directory, IMPORTS);
  const adoptions: Adoption[] = [];
  try {
    let drawn = await drawPlan(session, destroy);
    for (let round = 0; api && round < ROUNDS; round += 1) {
      const found = await findAdoptions(drawn.plan, api);
      if (found.length === 0) break;
      adoptions.push(...found);
      await writeFile(imports, importBlocks(adoptions));
      drawn = await drawPlan(session, destroy);
    }
    for (const { address, id } of adoptions) {
      session.runner.notice(`${address} exists already (${id}): the plan adopts it.`);
    }
    return drawn;
  } finally {
    await rm(imports, { force: true });
  }
}

async function drawPlan(session: Session, destroy: boolean): Promise<Drawn> {
  const file = join(session.work, 'plan.tfplan');
  const { varFiles } = session.inputs;
  const { stdout } = await locked(
    session,
    (lockTimeout) => planArgv({ varFiles, lockTimeout, planFile: file, destroy }),
    { allowedExitCodes: [0, 2] },
  );
  return { plan: await readPlan(session, file), file, text: stdout };
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
async function costIfPriced(
  runner: Runner,
  plan: Plan,
  api: HetznerApi,
): Promise<Cost | undefined> {
  try {
    return costOf(plan, await fetchPrices(api));
  } catch (error) {
    runner.warning(`The monthly cost is not known: ${(error as Error).message}`);
    return undefined;
  }
}
