import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type HetznerApi, hetznerApi } from '../../lib/hetzner/api.ts';
import { messageOf } from '../../lib/runner/main.ts';
import type { Runner } from '../../lib/runner/runner.ts';
import { type Adoption, fetchExisting, findAdoptions, importBlocks } from './adoption.ts';
import { type PlanMode, planArgv, showArgv } from './argv.ts';
import { costOf } from './cost.ts';
import { planDigest } from './digest.ts';
import { StepFailed } from './failure.ts';
import { forbiddenDestroys } from './guard.ts';
import { locked } from './locking.ts';
import { fetchOffers, type OfferFindings, offerFindings } from './offers.ts';
import { patiently } from './patience.ts';
import { countsOf, type Plan, parsePlan } from './plan.ts';
import { stateIn } from './plan-file.ts';
import { violations } from './policy.ts';
import { fetchPrices } from './prices.ts';
import { keepComment } from './pull-request.ts';
import { maskValue, sensitiveValues } from './sensitive.ts';
import type { Session } from './session.ts';
import { sideBySide } from './side-by-side.ts';
import { maskState, readState, type StateIdentity } from './state.ts';
import { type PlanReport, planComment, planReport, planSummary } from './summary.ts';

export interface Planned {
  plan: Plan;
  /** Terraform's own plan file, in clear: it never leaves the work folder. */
  file: string;
  /** The same as Terraform's JSON. */
  json: string;
  report: PlanReport;
  /** What it was made from. */
  state: StateIdentity;
}

/** Plans, masks what is sensitive, sets the outputs, and tells the reviewer. */
export async function makePlan(
  session: Session,
  kind: 'plan' | 'drift',
  mode: PlanMode = 'normal',
): Promise<Planned> {
  const { inputs, runner } = session;
  const api = apiOf(session);
  const judged = kind === 'plan' && mode === 'normal';
  // Asked for while Terraform plans.
  const prices = api && ifTold(runner, 'The monthly cost', fetchPrices(api));
  const offers = judged && api ? ifTold(runner, 'What is on sale', fetchOffers(api)) : undefined;
  const { plan, text, ...drawn } = await adoptingPlan(session, mode, judged ? api : undefined);
  await runner.group('Terraform plan', async () => runner.info(text.trimEnd()));

  const [known, sold] = await Promise.all([prices, offers]);
  const found = sold ? offerFindings(plan, sold) : NOTHING_FOUND;
  const report: PlanReport = {
    environment: inputs.directoryName,
    plan,
    digest: planDigest(plan),
    cost: known && costOf(plan, known),
    forbidden: forbiddenDestroys(plan, inputs.allowDestroy),
    violations: judged && inputs.policy ? [...violations(plan), ...found.violations] : [],
    warnings: found.warnings,
    kind,
    redact: runner.redact,
  };
  for (const warning of report.warnings) runner.warning(warning);
  setOutputs(session, report);
  await tell(session, report);
  return { plan, report, ...drawn };
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
function apiOf({ inputs, runner, cancelled }: Session): HetznerApi | undefined {
  return inputs.hcloudToken ? hetznerApi(inputs.hcloudToken, runner.env, cancelled) : undefined;
}

/** Summary, file, and the pull request's comment. */
async function tell(session: Session, report: PlanReport): Promise<void> {
  const { inputs, runner, work } = session;
  runner.summary(planSummary(report));
  const file = join(work, 'report.md');
  await writeFile(file, runner.redact(planReport(report)), { mode: 0o600 });
  runner.output('report-file', file);
  if (inputs.comment === 'off' || !inputs.githubToken || !inputs.planKey) return;
  const body = planComment(report, inputs.comment === 'full');
  // A plan is no worse for it: whoever reviews finds all of it in the summary.
  await keepComment(session, inputs.githubToken, inputs.planKey, body).catch((error: unknown) =>
    runner.warning(`${NOT_COMMENTED}${hintIn(error)}\n${messageOf(error)}`, {
      title: 'No comment',
    }),
  );
}

const NOT_COMMENTED =
  "GitHub did not take the pull request's comment: what it would say is in the summary of this job.";

function hintIn(error: unknown): string {
  const refused = [401, 403, 404].includes((error as { status?: number }).status ?? 0);
  return refused
    ? " Input 'github-token' needs 'pull-requests: write', which the run of a fork never has."
    : '';
}

interface Drawn {
  plan: Plan;
  file: string;
  json: string;
  text: string;
  state: StateIdentity;
}

/** A file of the root module for as long as a plan is made; the plan keeps what it said. */
const IMPORTS = 'compta-adopt.tf';
/** A network first, then its subnets and servers, then what hangs on those. */
const ROUNDS = 3;

/** Plans until nothing is to be created that the API has already. */
async function adoptingPlan(
  session: Session,
  mode: PlanMode,
  api: HetznerApi | undefined,
): Promise<Drawn> {
  const imports = join(session.inputs.directory, IMPORTS);
  const adoptions: Adoption[] = [];
  try {
    for (let round = 0; ; round += 1) {
      const written = await writePlan(session, mode);
      const [drawn, existing] = await sideBySide(
        showPlan(session, written),
        api && written.changes ? fetchExisting(api) : Promise.resolve(undefined),
      );
      const found = existing && round < ROUNDS ? findAdoptions(drawn.plan, existing) : [];
      if (found.length === 0) {
        for (const { address, id } of adoptions) {
          session.runner.notice(`${address} exists already (${id}): the plan adopts it.`);
        }
        return drawn;
      }
      adoptions.push(...found);
      await writeFile(imports, importBlocks(adoptions));
    }
  } finally {
    await rm(imports, { force: true });
  }
}

/** One plan, as it is. */
export async function drawPlan(session: Session, mode: PlanMode, name?: string): Promise<Drawn> {
  return showPlan(session, await writePlan(session, mode, name));
}

/** A plan as Terraform leaves it. */
interface Written {
  file: string;
  text: string;
  changes: boolean;
}

async function writePlan(session: Session, mode: PlanMode, name = 'plan.tfplan'): Promise<Written> {
  const file = join(session.work, name);
  const { varFiles } = session.inputs;
  const { stdout, exitCode } = await patiently(session, () =>
    locked(session, (lockTimeout) => planArgv({ varFiles, lockTimeout, planFile: file, mode }), {
      allowedExitCodes: [0, 2],
    }),
  ).catch(async (error: unknown) => {
    // What Terraform says may repeat what the state knows, so that is masked before it is told.
    await readState(session).catch(() => undefined);
    throw error;
  });
  return { file, text: stdout, changes: exitCode === 2 };
}

async function showPlan(session: Session, { file, text }: Written): Promise<Drawn> {
  const { stdout: json } = await session.terraform(showArgv(file));
  const { plan, state } = await readPlan(session, file, json);
  return { plan, file, json, text, state };
}

/** A plan as data; what is sensitive in it and in its state is masked from here on. */
export async function readPlan(
  { runner }: Pick<Session, 'runner'>,
  file: string,
  json: string,
): Promise<{ plan: Plan; state: StateIdentity }> {
  const state = await stateIn(file);
  maskState(runner, state);
  const plan = parsePlan(json);
  for (const value of sensitiveValues(plan)) maskValue(runner, value);
  return { plan, state };
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

/** A plan is no worse without its price: a catalogue that does not answer is a warning. */
async function ifTold<T>(runner: Runner, what: string, asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    runner.warning(`${what} is not known: ${(error as Error).message}`);
    return undefined;
  }
}

const NOTHING_FOUND: OfferFindings = { warnings: [], violations: [] };
