import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommandFailed, run } from '../../lib/process/run.ts';
import type { Runner } from '../../lib/runner/runner.ts';
import { type Attachment, provenance, sbom } from './attachments.ts';
import { copyArgv } from './commands.ts';
import { digestAt } from './former.ts';
import type { Inputs } from './inputs.ts';
import { descriptorOf, digestOf, platformsOf, writeArtifact } from './layout.ts';
import { type ReportFolders, spdxOf } from './reports.ts';
import { slugOf } from './scan.ts';
import { type Signer, sign } from './sign.ts';

export interface PushContext {
  inputs: Inputs;
  reports: ReportFolders;
  temp: string;
  authFile: string | undefined;
  signer: Signer | undefined;
  runner: Runner;
  cancelled: AbortSignal;
}

/**
 * Pushes a layout's own bytes under every tag, and beside them what is known of them.
 *
 * @param held the tag by which the registry has these bytes already: it gives them its further tags itself
 */
export async function push(
  name: string,
  layout: string,
  held: string | undefined,
  context: PushContext,
): Promise<void> {
  const { inputs, authFile, cancelled } = context;
  const repository = `${inputs.registry}/${name}`;
  // First what is known of it: whoever finds it by a tag finds that too, also after a push that broke off.
  for (const attachment of inputs.attest ? attachmentsOf(name, layout, context) : []) {
    const tag = `${attachment.subject.digest.replace(':', '-')}.${attachment.suffix}`;
    const beside = `${repository}:${tag}`;
    // Where it was built from, the run that built it alone can say.
    if (held !== undefined && attachment.suffix === 'provenance') continue;
    if (held !== undefined && (await digestAt(beside, authFile, cancelled))) continue;
    const folder = join(context.temp, 'attachments', tag);
    writeArtifact(folder, attachment);
    await copy(`oci:${folder}`, beside, context);
  }
  const reference = `${repository}@${digestOf(layout)}`;
  if (context.signer && held === undefined) {
    await copy(`oci:${layout}`, reference, context);
    await sign(reference, context.signer, context);
  }
  const from = held === undefined ? `oci:${layout}` : `docker://${reference}`;
  for (const tag of new Set([inputs.version, ...inputs.tags])) {
    if (tag !== held) await copy(from, `${repository}:${tag}`, context);
  }
}

/** One provenance of the whole image, one SBOM of each platform. */
function attachmentsOf(
  name: string,
  layout: string,
  { inputs, reports, runner }: PushContext,
): Attachment[] {
  const whole = descriptorOf(layout, digestOf(layout));
  const platforms = [...platformsOf(layout, inputs.platforms)];
  return [
    provenance(`${inputs.registry}/${name}`, whole, runner.env),
    ...platforms.map(([platform, digest]) =>
      sbom(descriptorOf(layout, digest), readFileSync(spdxOf(reports, slugOf(name, platform)))),
    ),
  ];
}

async function copy(from: string, reference: string, context: PushContext): Promise<void> {
  await run(copyArgv({ from, to: `docker://${reference}` }, context.authFile), {
    signal: context.cancelled,
    timeoutMs: 15 * 60_000,
  }).catch((cause: unknown) => {
    throw new Error(`${reference} could not be pushed${adviceOn(cause)}.`, { cause });
  });
  context.runner.info(`pushed ${reference}`);
}

function adviceOn(error: unknown): string {
  const refused = /unauthorized|authentication required|access to the resource is denied/i;
  return error instanceof CommandFailed && refused.test(error.stderr)
    ? ": the registry refused the login. Check 'username' and 'password'"
    : '';
}
