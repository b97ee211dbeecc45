import { z } from 'zod';
import { imageReference } from './manifest.ts';

/** What action-build puts out: `{name: {reference}}`; a bare `{name: reference}` is as good. */
export const imagesSchema = z.record(
  z.string(),
  z.union([
    imageReference,
    z.looseObject({ reference: imageReference }).transform((image) => image.reference),
  ]),
);

/**
 * Values for a Compose file. Caddy's image is held to what services' are: a tag may have moved by the
 * time that a release is gone back to.
 */
export const variablesSchema = z
  .record(z.string().regex(/^[A-Z][A-Z0-9_]*$/, 'not in capitals'), z.string())
  .refine(({ CADDY_IMAGE: image }) => !image || imageReference.safeParse(image).success, {
    path: ['CADDY_IMAGE'],
    error: 'not of the form repository@sha256:<64 hex digits>',
  });

/** The name Caddy goes by among the images; it is no service with slots. */
const edgeName = 'caddy';

/** Splits off Caddy's own image, and drops the `compta/` of a name. */
export function sortImages(
  images: Record<string, string>,
  variables: Record<string, string>,
): { images: Record<string, string>; variables: Record<string, string> } {
  const named = Object.entries(images).map(
    ([name, reference]) => [name.split('/').at(-1) ?? name, reference] as const,
  );
  const edge = named.find(([name]) => name === edgeName);
  return {
    images: Object.fromEntries(named.filter(([name]) => name !== edgeName)),
    variables: edge === undefined ? variables : { ...variables, CADDY_IMAGE: edge[1] },
  };
}
