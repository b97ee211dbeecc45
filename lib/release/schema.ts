import { z } from 'zod';
import { ReleaseFailure } from './evidence.ts';
import type { Host } from './host.ts';
import { schemaFile } from './layout.ts';
import type { Manifest } from './manifest.ts';

/**
 * A script that takes something away from a database, and the first version that lives without it.
 * One that a restore has undone stays in the record, as another restore may bring it back.
 */
const contractSchema = z.object({
  script: z.string(),
  since: z.string(),
  undone: z.literal(true).optional(),
});
export type Contract = z.infer<typeof contractSchema>;

/** Service → all scripts that contracted its database; a record of before a restore was told has one. */
const recordSchema = z.record(
  z.string(),
  z.union([z.array(contractSchema), contractSchema.transform((one) => [one])]),
);
export type SchemaRecord = z.infer<typeof recordSchema>;

/** What migrations leave on every application server for rollbacks to know. */
export async function readSchema(host: Host): Promise<SchemaRecord> {
  const text = await host.content(schemaFile);
  return text === undefined ? {} : recordSchema.parse(JSON.parse(text));
}

/**
 * Tells a host of scripts that are about to run; under the lease, on every application server, and
 * before the first of them: a run that is killed in between then refuses rather too much.
 */
export async function recordContracts(
  host: Host,
  service: string,
  contracts: readonly Contract[],
): Promise<void> {
  await writeSchema(host, afterContracts(await readSchema(host), service, contracts));
}

/**
 * Tells a host which contracts hold after a restore; under the lease, on every application server.
 * @param history scripts that the restored database knows.
 */
export async function recordRestore(
  host: Host,
  service: string,
  history: readonly string[],
): Promise<void> {
  const record = await readSchema(host);
  if (service in record) await writeSchema(host, afterRestore(record, service, history));
}

async function writeSchema(host: Host, record: SchemaRecord): Promise<void> {
  await host.write(schemaFile, `${JSON.stringify(record, null, 2)}\n`, '0644');
}

export function afterContracts(
  record: SchemaRecord,
  service: string,
  contracts: readonly Contract[],
): SchemaRecord {
  const isOther = (one: Contract) =>
    !contracts.some(({ script, since }) => one.script === script && one.since === since);
  const known = (record[service] ?? []).filter(isOther);
  return { ...record, [service]: [...known, ...contracts] };
}

export function afterRestore(
  record: SchemaRecord,
  service: string,
  history: readonly string[],
): SchemaRecord {
  const contracts = (record[service] ?? []).map(({ script, since }) =>
    history.includes(script) ? { script, since } : { script, since, undone: true as const },
  );
  return { ...record, [service]: contracts };
}

/** Of those that hold, the one that shuts out the most versions. */
function strictestOf(contracts: readonly Contract[]): Contract | undefined {
  return contracts
    .filter(({ undone }) => undone === undefined)
    .reduce<Contract | undefined>(
      (found, next) => (found && isSince(found.since, next.since) ? found : next),
      undefined,
    );
}

/**
 * Refuses to put code back that the database has moved beyond.
 * @throws ReleaseFailure naming the service and the script.
 */
export function refuseContracted(record: SchemaRecord, target: Manifest, now: Manifest): void {
  for (const [service, { image, version }] of Object.entries(target.services)) {
    const contract = strictestOf(record[service] ?? []);
    if (contract === undefined || now.services[service]?.image === image) continue;
    if (isSince(version, contract.since)) continue;
    throw new ReleaseFailure(
      `${service} ${version} cannot be put back: ${contract.script} took away from its database ` +
        `what versions before ${contract.since} need. Go back to ${contract.since} or newer, or ` +
        'restore a backup from before it: docs/disaster-recovery.md says how.',
    );
  }
}

/**
 * Whether a release is at least another, by its numbers: what follows a dash names a build of it.
 *
 * @returns undefined when the version has no numbers to compare.
 */
export function isSince(version: string, since: string): boolean | undefined {
  const numbers = /^v?(\d+(?:\.\d+)*)(?:[-+].*)?$/.exec(version)?.[1];
  if (numbers === undefined) return undefined;
  const [mine, theirs] = [numbers, since].map((text) => text.split('.').map(Number));
  for (let place = 0; place < Math.max(mine?.length ?? 0, theirs?.length ?? 0); place += 1) {
    const difference = (mine?.[place] ?? 0) - (theirs?.[place] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}
