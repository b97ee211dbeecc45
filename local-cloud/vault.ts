import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { run } from '../lib/process/run.ts';

/**
 * Makes what an environment's vault in a copy of the code lacks, and leaves what it has. In the place of
 * accounts elsewhere, which nobody can make up, is a word that opens nothing.
 *
 * @param infra the copy's folder of that name
 * @param key   file with the vault's key
 */
export async function fillVault(
  infra: string,
  key: string,
  environment = 'staging',
): Promise<void> {
  const nowhere = join(dirname(key), 'no-account');
  writeFileSync(nowhere, 'no-account-elsewhere\n');
  const script = join(infra, 'scripts/setup/generate-secrets.sh');
  await run([script, environment, key, '--stand-in', nowhere]);
}
