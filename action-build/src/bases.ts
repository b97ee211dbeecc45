import { z } from 'zod';
import { digestAt } from './former.ts';

/** A base image as it was when an image was built on it. */
export const base = z.object({
  /** By a tag, which may be another's by now, or by digest. */
  reference: z.string(),
  digest: z.string(),
});
export type Base = z.infer<typeof base>;

const material = z.object({ uri: z.string(), digest: z.object({ sha256: z.string() }) });
const provenance = z.looseObject({ materials: z.array(material).optional() });

/**
 * The base images of a build, from what buildx writes about it (`--metadata-file`).
 *
 * @returns undefined when it took anything else from elsewhere, or does not say what.
 */
export function basesIn(metadataJson: string): Base[] | undefined {
  const told = Object.entries(JSON.parse(metadataJson) as Record<string, unknown>).filter(([key]) =>
    /^buildx\.build\.provenance(\/|$)/.test(key),
  );
  if (told.length === 0) return undefined;
  const bases: Base[] = [];
  for (const { uri, digest } of told.flatMap(([, of]) => provenance.parse(of).materials ?? [])) {
    // https://github.com/package-url/purl-spec, as pkg:docker/eclipse-temurin@21-jre?platform=linux%2Famd64
    const [, name = '', tag, pinned] =
      /^pkg:docker\/([^@?]+)(?:@([^?]+))?(?:\?(digest=)?|$)/.exec(uri) ?? [];
    if (name === '') return undefined;
    const isFixed = pinned !== undefined || tag === undefined;
    const reference = isFixed ? `${name}@sha256:${digest.sha256}` : `${name}:${tag}`;
    bases.push({ reference: decodeURIComponent(reference), digest: `sha256:${digest.sha256}` });
  }
  return bases;
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
