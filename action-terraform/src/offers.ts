import { z } from 'zod';
import type { HetznerApi } from './hetzner.ts';
import { kindOf, managed, type Plan } from './plan.ts';
import type { Violation } from './policy.ts';

const deprecation = z.object({ unavailable_after: z.string() }).nullish();
const serverType = z.object({
  name: z.string(),
  deprecation,
  locations: z
    .array(z.object({ name: z.string(), available: z.boolean().optional(), deprecation }))
    .default([]),
});
const page = z.object({ server_types: z.array(serverType) });
const imagePage = z.object({
  images: z.array(z.object({ name: z.string().nullish(), deprecated: z.string().nullish() })),
});

/** What Hetzner sells today, as its API tells it. */
export interface Offers {
  serverTypes: z.infer<typeof serverType>[];
  /** Names of system images that are going away. */
  deprecatedImages: string[];
}

export async function fetchOffers(api: HetznerApi): Promise<Offers> {
  const types = page.parse(await api.get('/server_types?per_page=50'));
  const { images } = imagePage.parse(
    await api.get('/images?type=system&include_deprecated=true&per_page=50'),
  );
  return {
    serverTypes: types.server_types,
    deprecatedImages: images.flatMap(({ name, deprecated }) => (name && deprecated ? [name] : [])),
  };
}

export interface OfferFindings {
  warnings: string[];
  /** New servers of what is going away: rules of the policy. */
  violations: Violation[];
}

/** Server types and images that are deprecated, or cannot be ordered where the plan wants them. */
export function offerFindings(
  plan: Plan,
  { serverTypes, deprecatedImages }: Offers,
): OfferFindings {
  const found: OfferFindings = { warnings: [], violations: [] };
  for (const { address, type, change } of managed(plan)) {
    if (type !== 'hcloud_server' || !change.after) continue;
    const { server_type, location, image } = change.after as Record<string, unknown>;
    const isNew = ['create', 'replace'].includes(kindOf(change));
    const say = (problem: string, rule?: string) => {
      if (isNew && rule) found.violations.push({ rule, address, problem });
      else found.warnings.push(`${address}: ${problem}`);
    };

    const sold = serverTypes.find(({ name }) => name === server_type);
    const here = sold?.locations.find(({ name }) => name === location);
    const ending = here?.deprecation ?? sold?.deprecation;
    if (ending) {
      const end = ending.unavailable_after.slice(0, 10);
      say(`server type ${server_type} is deprecated and ends on ${end}.`, 'deprecated-type');
    }
    if (isNew && deprecatedImages.includes(String(image))) {
      say(`image ${image} is deprecated.`, 'deprecated-image');
    }
    if (isNew && sold && here?.available !== true) {
      say(`server type ${server_type} cannot be ordered in ${location} now.`);
    }
  }
  return found;
}
