import { z } from 'zod';
import { digestAt } from './former.ts';

/** A base image as it was when an image was built on it. */
export const base = z.object({
  /** By a tag, which may be another's by now, or by digest. */
  reference: z.string(),
  digest: z.string(),
});
export type Base = z.infer<typeof base>;

/** Of one platform. Any other form, as another version's, may have its materials elsewhere. */
const provenance = z.object({
  buildType: z.literal('https://mobyproject.org/buildkit@v1'),
  materials: z
    .array(z.object({ uri: z.string(), digest: z.object({ sha256: z.string() }) }))
    .default([]),
});

/**
 * The base images of a build, from what buildx writes about it (`--metadata-file`).
 *
 * @returns undefined when it took anything else from elsewhere, or does not plainly say what.
 */
export function basesIn(metadataJson: string): Base[] | undefined {
  const told = Object.entries(JSON.parse(metadataJson) as Record<string, unknown>)
    .filter(([key]) => /^buildx\.build\.provenance(\/|$)/.test(key))
    .map(([, value]) => provenance.safeParse(value).data?.materials);
  const bases = told.flatMap((materials) => materials?.map(baseOf) ?? [undefined]);
  const known = bases.filter((each) => each !== undefined);
  return told.length > 0 && known.length === bases.length ? known : undefined;
}

/** As `pkg:docker/eclipse-temurin@21-jre?platform=linux%2Famd64`: https://github.com/package-url/purl-spec */
function baseOf({ uri, digest }: { uri: string; digest: { sha256: string } }): Base | undefined {
  const [, name, tag, pinned] =
    /^pkg:docker\/([^@?]+)(?:@([^?]+))?(?:\?(digest=)?|$)/.exec(uri) ?? [];
  if (name === undefined) return undefined;
  const isFixed = pinned !== undefined || tag === undefined;
  const reference = isFixed ? `${name}@sha256:${digest.sha256}` : `${name}:${tag}`;
  return { reference: decodeURIComponent(reference), digest: `sha256:${digest.sha256}` };
}

/** Whether every tag still means what it meant then. */
export async function areAsBefore(
  bases: readonly Base[],
  authFile: string | undefined,
  cancelled: AbortSignal,
): Promise<boolean> {
  const same = await Promise.all(
    bases.map(
      async ({ reference, digest }) =>
        reference.endsWith(`@${digest}`) ||
        (await digestAt(reference, authFile, cancelled)) === digest,
    ),
  );
  return !same.includes(false);
}
