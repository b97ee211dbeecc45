import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Writes what cloud-init's NoCloud source reads: the server's identity, the keys that the
 * API attached to it and Terraform's user data, unchanged.
 */
export async function writeSeed(
  directory: string,
  seed: { instanceId: string; hostname: string; sshKeys: string[]; userData: string },
): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const metaData = {
    'instance-id': seed.instanceId,
    'local-hostname': seed.hostname,
    'public-keys': seed.sshKeys,
  };
  const secret = { mode: 0o600 }; // user data carries host keys
  await writeFile(join(directory, 'meta-data'), JSON.stringify(metaData), secret);
  await writeFile(join(directory, 'user-data'), seed.userData || '#cloud-config\n{}\n', secret);
  // The keys are root's, as at Hetzner, where user data has not made another user.
  await writeFile(join(directory, 'vendor-data'), '#cloud-config\ndisable_root: false\n', secret);
}
