import { join } from 'node:path';
import { run } from '../../lib/process/run.ts';
import type { Runner } from '../../lib/runner/runner.ts';
import { findTool } from '../../lib/tools/find.ts';
import type { Inputs } from './inputs.ts';

/** Cosign, and by its environment the key that it signs with and the registry's login. */
export interface Signer {
  cosign: string;
  env: NodeJS.ProcessEnv;
  /** PEM; who has it can tell our images from others. */
  publicKey: string;
}

const VERSION = '3.0.6';
const KEY = ['--key', 'env://COSIGN_PRIVATE_KEY'];

/**
 * Opens the key, so that a wrong password ends the run before anything is built.
 * @throws Error when the key and the password do not belong together.
 */
export async function prepareSigner(
  { signing, toolMirror: mirror }: Inputs,
  login: NodeJS.ProcessEnv,
  cancelled: AbortSignal,
): Promise<Signer | undefined> {
  if (signing === undefined) return undefined;
  const tool = { name: 'cosign', version: VERSION, mirror, cancelled } as const;
  const cosign = join(await findTool(tool), 'cosign');
  const env = { ...login, COSIGN_PRIVATE_KEY: signing.key, COSIGN_PASSWORD: signing.password };
  const opened = run([cosign, 'public-key', ...KEY], { env, signal: cancelled });
  const { stdout: publicKey } = await opened.catch((cause: unknown) => {
    throw new Error("Input 'sign-key' cannot be opened with 'sign-password'.", { cause });
  });
  return { cosign, env, publicKey };
}

/** Signs an image that the registry has, by its digest. Nothing of it is told to a public log. */
export async function sign(
  reference: string,
  { cosign, env }: Signer,
  { runner, cancelled }: { runner: Runner; cancelled: AbortSignal },
): Promise<void> {
  const local = ['--use-signing-config=false', '--tlog-upload=false'];
  await run([cosign, 'sign', '--yes', ...KEY, ...local, reference], {
    env,
    signal: cancelled,
    timeoutMs: 5 * 60_000,
  }).catch((cause: unknown) => {
    throw new Error(`${reference} could not be signed.`, { cause });
  });
  runner.info(`signed ${reference}`);
}
