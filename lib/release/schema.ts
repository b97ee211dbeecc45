import { z } from 'zod';
import { ReleaseFailure } from './evidence.ts';
import type { Host } from './host.ts';
import { schemaFile } from './layout.ts';
import type { Manifest } from './manifest.ts';

/**
 * What migrations leave on every application server for rollbacks to know. An image is built for the
 * schema that its newest script makes; once a script that takes something away (contracts) has run,
 * only images that ship that script can do without what it took.
 */
const schemaSchema = z.object({
  /** Digest of an image → version of the newest script in it. */
  images: z.record(z.string(), z.string()),
  /** Service → version of the newest script that contracted its database. */
  contracted: z.record(z.string(), z.string()),
});
export type SchemaRecord = z.infer<typeof schemaSchema>;

/** One run of a service's scripts. */
export interface Migration {
  service: string;
  /** `repository@sha256:…` that the scripts came from. */
  image: string;
  /** Version of the newest script in it, as Flyway writes it: `7`, `2.1`. */
  version: string;
  /** Version of the newest contracting script among those that have run; none when all expand. */
  contracted?: string;
}

export async function readSchema(host: Host): Promise<SchemaRecord> {
  const text = await host.content(schemaFile);
  if (text === undefined) return { images: {}, contracted: {} };
  return schemaSchema.parse(JSON.parse(text));
}

/** Adds a run of scripts to what the host knows; under the lease, on every application server. */
export async function recordMigration(host: Host, migration: Migration): Promise<void> {
  const record = afterMigration(await readSchema(host), migration);
  await host.write(schemaFile, `${JSON.stringify(record, null, 2)}\n`, '0644');
}

export function afterMigration(
  { images, contracted }: SchemaRecord,
  { service, image, version, contracted: now }: Migration,
): SchemaRecord {
  const before = contracted[service];
  const newest = [before, now]
    .filter((each) => each !== undefined)
    .sort(compareVersions)
    .at(-1);
  return {
    images: { ...images, [digestOf(image)]: version },
    contracted: newest === undefined ? contracted : { ...contracted, [service]: newest },
  };
}

/**
 * Refuses to put code back that the database has moved beyond.
 * @throws ReleaseFailure naming the service and the script.
 */
export function refuseContracted(record: SchemaRecord, target: Manifest, now: Manifest): void {
  for (const [service, { image, version }] of Object.entries(target.services)) {
    const contracted = record.contracted[service];
    if (contracted === undefined || now.services[service]?.image === image) continue;
    const built = record.images[digestOf(image)];
    if (built !== undefined && compareVersions(built, contracted) >= 0) continue;
    const knows =
      built === undefined ? 'it was never migrated to here' : `its scripts end at ${built}`;
    throw new ReleaseFailure(
      `${service} ${version} cannot be put back: script ${contracted} took away from its database ` +
        `what earlier versions need, and ${knows}. Release a version that ships that script, or ` +
        'restore a backup from before it.',
    );
  }
}

/** By Flyway's order: numbers between dots or underscores. */
export function compareVersions(x: string, y: string): number {
  const [left, right] = [x, y].map((version) => version.split(/[._]/).map(Number));
  const length = Math.max(left?.length ?? 0, right?.length ?? 0);
  for (let part = 0; part < length; part++) {
    const difference = (left?.[part] ?? 0) - (right?.[part] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

const digestOf = (reference: string): string => reference.slice(reference.indexOf('@') + 1);
