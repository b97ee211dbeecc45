import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Artifacts } from '../../lib/runner/artifacts.ts';
import { digestOf } from './binding.ts';
import { StepFailed } from './failure.ts';
import type { Inputs } from './inputs.ts';
import type { Session } from './session.ts';

const FILE = 'plan.sealed';

/** One artifact for each root module and workspace of a run: readable, and never the same twice. */
export function artifactName({ directoryName, workspace }: Inputs): string {
  const readable = directoryName.split('/').filter(Boolean).at(-1) ?? 'root';
  const unique = digestOf(`${directoryName}\n${workspace}`).slice(0, 8);
  return `terraform-plan-${readable.replace(/[^A-Za-z0-9_-]/g, '-')}-${unique}`;
}

/** Takes away what an earlier attempt of this run left: its plan is not to be applied any more. */
export async function clearPlan(
  { inputs }: Pick<Session, 'inputs'>,
  artifacts: Pick<Artifacts, 'remove'>,
): Promise<void> {
  if (inputs.planPath === undefined) await artifacts.remove(artifactName(inputs));
  else await rm(inputs.planPath, { force: true });
}

/** Leaves a sealed plan where `apply` will look for it. @returns its path on this machine */
export async function sendPlan(
  session: Session,
  sealed: Buffer,
  artifacts: Artifacts,
): Promise<string> {
  const { planPath } = session.inputs;
  const path = planPath ?? join(session.work, FILE);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, sealed, { mode: 0o600 });
  if (planPath === undefined) await artifacts.upload(artifactName(session.inputs), path);
  return path;
}

/** @throws StepFailed 'plan-missing': an apply without a plan is never a success */
export async function receivePlan(session: Session, artifacts: Artifacts): Promise<Buffer> {
  const { inputs, work } = session;
  if (inputs.planPath !== undefined) {
    return read(inputs.planPath, `There is no sealed plan at ${inputs.planPath}.`);
  }
  const name = artifactName(inputs);
  const directory = join(work, 'received');
  const missing = `This run has no artifact '${name}', so there is no plan to apply. Run command 'plan' with the same working-directory and workspace earlier in this run.`;
  if (!(await artifacts.download(name, directory))) throw new StepFailed('plan-missing', missing);
  return read(join(directory, FILE), missing);
}

async function read(file: string, missing: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new StepFailed('plan-missing', missing, cause);
  }
}
