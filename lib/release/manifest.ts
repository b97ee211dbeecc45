import { createHash } from 'node:crypto';
import { z } from 'zod';

/** `repository@sha256:…`: what runs is named by content, never by a tag. */
export const imageReference = z
  .string()
  .regex(/^[^\s@]+@sha256:[0-9a-f]{64}$/, 'not of the form repository@sha256:<64 hex digits>');

const componentSchema = z.object({
  image: imageReference,
  /** What the service answers at its version endpoint. */
  version: z.string().min(1),
  /** Fingerprint of its Compose definition and secrets, without image and version. */
  config: z.string().min(1),
  /** Fingerprint of the secrets that deploys gave it; none when they come from elsewhere. */
  secrets: z.string().optional(),
});

const manifestSchema = z.object({
  /** Name of the release's folder: version and fingerprint, so that equal names are equal releases. */
  release: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]*$/),
  version: z.string().min(1),
  environment: z.string().min(1),
  services: z.record(z.string(), componentSchema),
  /** Order in which services are released. */
  order: z.array(z.string()),
  /** Path at the public address where a service tells its version. */
  versionPaths: z.record(z.string(), z.string()),
  edge: z.object({
    image: z.string(),
    config: z.string(),
    /** SHA-256 of the Caddyfile; releases of earlier versions of this program do not say it. */
    caddyfile: z.string().optional(),
  }),
  createdAt: z.string(),
});

export type Component = z.infer<typeof componentSchema>;
/** One release: which image of each service, with which configuration. */
export type Manifest = z.infer<typeof manifestSchema>;

/** @throws Error when the text is not a manifest. */
export function parseManifest(text: string, where: string): Manifest {
  try {
    return manifestSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new Error(`${where} is not a release manifest.`, { cause });
  }
}

/** Short hash of anything that JSON can hold, the same for the same content. */
export function fingerprint(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 12);
}

/** The same content gives the same id, so that a repeated deploy finds its own folder. */
export function releaseId(version: string, content: unknown): string {
  const safe = version.replaceAll(/[^A-Za-z0-9_.-]/g, '-').replace(/^[^A-Za-z0-9]+/, '') || 'r';
  // A folder's name has 255 bytes, and a rollback of services puts their versions together.
  return `${safe.slice(0, 100)}-${fingerprint(content).slice(0, 8)}`;
}
