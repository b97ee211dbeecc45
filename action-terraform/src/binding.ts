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

/** The fields that differ, each with what was sealed and what is now. */
export function differences(sealed: Binding, now: Binding): string[] {
  const fields = Object.keys(now) as (keyof Binding)[];
  return fields
    .filter((field) => sealed[field] !== now[field])
    .map((field) => `${field}: planned '${sealed[field]}', now '${now[field]}'`);
}

/** SHA-256 of a public file, in hex. */
export function digestOf(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/** Keyed, as variables may be short secrets that a bare digest would let somebody guess. */
export function keyedDigest(key: string, content: string): string {
  return createHmac('sha256', key).update(content).digest('hex').slice(0, 32);
}
