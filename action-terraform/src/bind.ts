import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Binding, digestOf, keyedDigest, originOf } from './binding.ts';
import { canonicalJson } from './canonical.ts';
import { type Session, stateIdentity } from './session.ts';

/** Gathers what the plan of this step is, or would have to be, bound to. */
export async function currentBinding(session: Session, key: string): Promise<Binding> {
  const { inputs, runner } = session;
  const state = await stateIdentity(session);
  return {
    ...originOf(runner.env),
    directory: inputs.directoryName,
    workspace: inputs.workspace,
    backend: digestOf(await backendOf(session)),
    lockFile: digestOf(await contentOf(join(inputs.directory, '.terraform.lock.hcl'))),
    varFiles: keyedDigest(key, await varFilesOf(inputs.directory, inputs.varFiles)),
    variables: keyedDigest(key, canonicalJson(variablesOf(session.env))),
    tool: inputs.tool,
    version: inputs.version,
    stateLineage: state.lineage,
    stateSerial: state.serial,
  };
}

/** The backend as `init` resolved it, and the endpoint that only the environment knows. */
async function backendOf(session: Session): Promise<string> {
  const text = await contentOf(join(session.dataDirectory, 'terraform.tfstate'));
  const { backend } = text === '' ? {} : (JSON.parse(text) as { backend?: unknown });
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

async function contentOf(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
}
