import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Runner } from '../../lib/runner/runner.ts';
import { type Adoption, findAdoptions, importBlocks } from './adoption.ts';
import { planArgv, showArgv } from './argv.ts';
import { type Cost, costOf } from './cost.ts';
import { planDigest } from './digest.ts';
import { StepFailed } from './failure.ts';
import { forbiddenDestroys } from './guard.ts';
import { type HetznerApi, hetznerApi } from './hetzner.ts';
import { locked } from './locking.ts';
import { fetchOffers, type OfferFindings, offerFindings } from './offers.ts';
import { patiently } from './patience.ts';
import { countsOf, type Plan, parsePlan } from './plan.ts';
import { violations } from './policy.ts';
import { fetchPrices } from './prices.ts';
import { keepComment } from './pull-request.ts';
import { maskValue, sensitiveValues } from './sensitive.ts';
import type { Session } from './session.ts';
import { type PlanReport, planComment, planSummary } from './summary.ts';

export interface Planned {
  plan: Plan;
  /** Terraform's own plan file, in clear: it never leaves the work folder. */
  file: string;
  report: PlanReport;
}

/** Plans, masks what is sensitive, sets the outputs, and tells the reviewer. */
export async function makePlan(
  session: Session,
  kind: 'plan' | 'drift',
  destroy = false,
): Promise<Planned> {
  const { inputs, runner } = session;
  const api = apiOf(session);
  const adopting = kind === 'plan' && !destroy ? api : undefined;
  const { plan, file, text } = await adoptingPlan(session, destroy, adopting);
  await runner.group('Terraform plan', async () => runner.info(text.trimEnd()));

  const judged = kind === 'plan' && !destroy;
  const offers = judged && api ? await offersIfTold(runner, plan, api) : NOTHING_FOUND;
  const report: PlanReport = {
    environment: inputs.directoryName,
    plan,
    digest: planDigest(plan),
    cost: api && (await costIfPriced(runner, plan, api)),
    forbidden: forbiddenDestroys(plan, inputs.allowDestroy),
    violations: judged && inputs.policy ? [...violations(plan), ...offers.violations] : [],
    warnings: offers.warnings,
    kind,
    redact: runner.redact,
  };
  for (const warning of report.warnings) runner.warning(warning);
  setOutputs(session, report);
  await tell(session, report);
  return { plan, file, report };
}

/** @throws StepFailed for destroys that nobody allowed, and for what is against the policy */
export function refuseForbidden({ forbidden, violations: broken }: PlanReport): void {
  if (forbidden.length > 0) {
    throw new StepFailed(
      'destroy-refused',
      `The plan would destroy ${forbidden.join(', ')}. If that is meant, name each address (or a glob) in input 'allow-destroy'.`,
    );
  }
  if (broken.length > 0) {
    const lines = broken.map(({ rule, address, problem }) => `- ${address}: ${problem} (${rule})`);
    throw new StepFailed('policy-refused', `The plan is against the policy:\n${lines.join('\n')}`);
  }
}

/** Hetzner's API, when there is a token for it. */
export function apiOf({ inputs, runner, cancelled }: Session): HetznerApi | undefined {
  return inputs.hcloudToken ? hetznerApi(inputs.hcloudToken, runner.env, cancelled) : undefined;
}

/** Summary, file, and the pull request's comment. */
async function tell(session: Session, report: PlanReport): Promise<void> {
  const { inputs, runner, work } = session;
  const summary = planSummary(report);
  runner.summary(summary);
  const file = join(work, 'report.md');
  await writeFile(file, runner.redact(summary), { mode: 0o600 });
  runner.output('report-file', file);
  if (inputs.comment === 'off' || !inputs.githubToken || !inputs.planKey) return;
  const body = planComment(report, inputs.comment === 'full');
  await keepComment(session, inputs.githubToken, inputs.planKey, body);
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

/** One plan, as it is. */
export async function drawPlan(
  session: Session,
  destroy: boolean,
  name = 'plan.tfplan',
): Promise<Drawn> {
  const file = join(session.work, name);
  const { varFiles } = session.inputs;
  const { stdout } = await patiently(session, () =>
    locked(session, (lockTimeout) => planArgv({ varFiles, lockTimeout, planFile: file, destroy }), {
      allowedExitCodes: [0, 2],
    }),
  );
  return { plan: await readPlan(session, file), file, text: stdout };
}

/** Terraform's JSON of a plan; its sensitive values are masked from here on. */
export async function readPlan(session: Session, file: string): Promise<Plan> {
  const { stdout } = await session.terraform(showArgv(file));
  const plan = parsePlan(stdout);
  for (const value of sensitiveValues(plan)) maskValue(session.runner, value);
  return plan;
}

function setOutputs({ runner }: Session, { plan, digest, cost }: PlanReport): void {
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

const NOTHING_FOUND: OfferFindings = { warnings: [], violations: [] };

/** As with the price: a catalogue that does not answer makes no plan worse. */
async function offersIfTold(runner: Runner, plan: Plan, api: HetznerApi): Promise<OfferFindings> {
  try {
    return offerFindings(plan, await fetchOffers(api));
  } catch (error) {
    runner.warning(
      `Whether its server types are on sale is not known: ${(error as Error).message}`,
    );
    return NOTHING_FOUND;
  }
}
