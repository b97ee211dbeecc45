import { createHash, createHmac } from 'node:crypto';

/** Everything that must be at apply what it was at plan. Field names are what a refusal names. */
export interface Binding {
  repository: string;
  sha: string;
  workflow: string;
  runId: string;
  directory: string;
  workspace: string;
  backend: string;
  lockFile: string;
  varFiles: string;
  variables: string;
  tool: string;
  version: string;
  stateLineage: string;
  stateSerial: number;
}

export interface Origin {
  repository: string;
  sha: string;
  workflow: string;
  runId: string;
}

/** What this run is, as the runner tells it. @throws Error outside a workflow run */
export function originOf(env: NodeJS.ProcessEnv): Origin {
  const known = (name: string): string => {
    const value = env[name];
    if (!value) throw new Error(`${name} is not set: a plan is bound to the run that made it.`);
    return value;
  };
  return {
    repository: known('GITHUB_REPOSITORY'),
    sha: known('GITHUB_SHA'),
    workflow: known('GITHUB_WORKFLOW'),
    runId: known('GITHUB_RUN_ID'),
  };
}

const MEANING: Record<keyof Binding, string> = {
  repository: 'it is the plan of another repository',
  sha: 'it is the plan of another commit',
  workflow: 'it was made by another workflow',
  runId: 'it was made by another run, which may be an older one',
  directory: 'it is the plan of another root module',
  workspace: 'it is the plan of another workspace',
  backend: 'it was made against another backend',
  lockFile: 'the lock file of the providers is another one',
  varFiles: 'a variable file has changed',
  variables: 'a variable has another value',
  tool: 'it was made by another tool',
  version: 'it was made by another version of the tool',
  stateLineage: 'it was made for another state',
  stateSerial: 'the state has been written since',
};

/** The fields that differ from what was sealed, in the order of their meaning. */
export function differingFields(sealed: Binding, now: Binding): (keyof Binding)[] {
  const fields = Object.keys(MEANING) as (keyof Binding)[];
  return fields.filter((field) => sealed[field] !== now[field]);
}

/** One line for a field that differs: what was sealed, what is now, and what that means. */
export function difference(field: keyof Binding, sealed: Binding, now: Binding): string {
  return `${field}: planned '${sealed[field]}', now '${now[field]}': ${MEANING[field]}`;
}

/** SHA-256 of a public file, in hex. */
export function digestOf(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/** Keyed, as variables may be short secrets that a bare digest would let somebody guess. */
export function keyedDigest(key: string, content: string): string {
  return createHmac('sha256', key).update(content).digest('hex').slice(0, 32);
}
