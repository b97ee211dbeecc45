import { scryptSync } from 'node:crypto';
import { z } from 'zod';
import type { Host } from './host.ts';
import { secretsFolder, serviceUser } from './layout.ts';

/** Service → name of the file → content. A service reads them below /run/secrets. */
export const secretsSchema = z.record(
  z.string().regex(/^[a-z][a-z0-9-]*$/, 'not the name of a service'),
  z.record(
    z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'not the name of a file'),
    z.string().min(1),
  ),
);
export type Secrets = z.infer<typeof secretsSchema>;

/**
 * Tells one set of secrets from another in a manifest that anybody on the server may read, and is
 * too slow to compute to guess them from it.
 */
export function secretsFingerprint(service: string, files: Record<string, string>): string {
  const content = JSON.stringify(Object.entries(files).sort());
  return scryptSync(content, `compta ${service}`, 9).toString('hex');
}

/** Names of the secrets that are new or differ on the host, as `service/name`; never their content. */
export async function changedSecrets(host: Host, secrets: Secrets): Promise<string[]> {
  const changed: string[] = [];
  for (const [service, name, content] of flat(secrets)) {
    const there = await host.content(`${secretsFolder(service)}/${name}`);
    if (there !== content) changed.push(`${service}/${name}`);
  }
  return changed;
}

/** Puts those files in place that {@link changedSecrets} names, readable by the service alone. */
export async function writeSecrets(
  host: Host,
  secrets: Secrets,
  changed: readonly string[],
): Promise<void> {
  for (const [service, name, content] of flat(secrets)) {
    if (!changed.includes(`${service}/${name}`)) continue;
    const owner = `${serviceUser}:${serviceUser}`;
    await host.write(`${secretsFolder(service)}/${name}`, content, '0400', owner);
  }
}

function flat(secrets: Secrets): [service: string, name: string, content: string][] {
  return Object.entries(secrets).flatMap(([service, files]) =>
    Object.entries(files).map(([name, content]): [string, string, string] => [
      service,
      name,
      content,
    ]),
  );
}
