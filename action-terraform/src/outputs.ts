import { mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { outputArgv } from './argv.ts';
import { environmentIn, writeInventory } from './inventory.ts';
import { patiently } from './patience.ts';
import { maskValue, strings } from './sensitive.ts';
import type { Session } from './session.ts';

const schema = z.record(z.string(), z.looseObject({ sensitive: z.boolean(), value: z.unknown() }));

/**
 * Writes `terraform output -json` to a file that only we can read, with sensitive values masked
 * everywhere else; for an environment its inventory too.
 *
 * @returns the names of the outputs
 * @throws Error when they name an environment and do not describe one
 */
export async function writeOutputs(session: Session): Promise<string[]> {
  const { inputs, runner } = session;
  // After an apply there is no second one that would read them.
  const { stdout } = await patiently(session, () => session.terraform(outputArgv));
  const outputs = schema.parse(JSON.parse(stdout));
  for (const output of Object.values(outputs).filter(({ sensitive }) => sensitive)) {
    for (const value of strings(output.value)) maskValue(runner, value);
  }
  const file = inputs.outputsFile ?? join(session.work, 'outputs.json');
  await mkdir(dirname(file), { recursive: true });
  await writePrivately(file, stdout);
  runner.output('outputs-file', file);
  await writeForAnsible(session, outputs);
  return Object.keys(outputs);
}

/** For us alone, also where there was a file for everybody. */
async function writePrivately(file: string, text: string): Promise<void> {
  const handle = await open(file, 'w', 0o600);
  try {
    await handle.chmod(0o600);
    await handle.writeFile(text);
  } finally {
    await handle.close();
  }
}

async function writeForAnsible(
  { runner, work }: Session,
  outputs: Record<string, unknown>,
): Promise<void> {
  const environment = environmentIn(outputs);
  if (environment === undefined) return;
  const files = { inventory: join(work, 'inventory.yml'), knownHosts: join(work, 'known_hosts') };
  await writeInventory(environment, files);
  runner.output('inventory-file', files.inventory);
  runner.output('known-hosts-file', files.knownHosts);
}
