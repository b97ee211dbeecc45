import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { backendOf } from './backend.ts';
import { type Binding, digestOf, keyedDigest, originOf } from './binding.ts';
import { canonicalJson } from './canonical.ts';
import { contentOf } from './content.ts';
import type { Session } from './session.ts';

/** Gathers what the plan of this step is, or would have to be, bound to, but for the state. */
export async function currentBinding(
  session: Session,
  key: string,
): Promise<Omit<Binding, 'stateLineage' | 'stateSerial'>> {
  const { inputs, runner } = session;
  return {
    ...originOf(runner.env),
    directory: inputs.directoryName,
    workspace: inputs.workspace,
    backend: digestOf(await backendIdentity(session)),
    lockFile: digestOf(await contentOf(join(inputs.directory, '.terraform.lock.hcl'))),
    varFiles: keyedDigest(key, await varFilesOf(inputs.directory, inputs.varFiles)),
    variables: keyedDigest(key, canonicalJson(variablesOf(session.env))),
    tool: inputs.tool,
    version: inputs.version,
  };
}

/** The backend as `init` resolved it, and the endpoint that only the environment knows. */
async function backendIdentity(session: Session): Promise<string> {
  const backend = await backendOf(session);
  return canonicalJson({ backend, endpoint: session.env.AWS_ENDPOINT_URL_S3 ?? null });
}

/** The files named, and those that Terraform takes up by itself. */
async function varFilesOf(directory: string, named: readonly string[]): Promise<string> {
  const automatic = (await readdir(directory))
    .filter((name) => /^terraform\.tfvars(\.json)?$|\.auto\.tfvars(\.json)?$/.test(name))
    .sort();
  const contents = [...automatic, ...named].map(async (name) => [
    name,
    await contentOf(resolve(directory, name)),
  ]);
  return canonicalJson(await Promise.all(contents));
}

function variablesOf(env: NodeJS.ProcessEnv): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => name.startsWith('TF_VAR_')));
}
