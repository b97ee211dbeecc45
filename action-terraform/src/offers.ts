import { z } from 'zod';
import type { HetznerApi } from '../../lib/hetzner/api.ts';
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
const balancerType = z.object({ name: z.string(), deprecation });
const image = z.object({ name: z.string().nullish(), deprecated: z.string().nullish() });

/** What Hetzner sells today, as its API tells it. */
export interface Offers {
  serverTypes: z.infer<typeof serverType>[];
  loadBalancerTypes: z.infer<typeof balancerType>[];
  /** Names of system images that are going away. */
  deprecatedImages: string[];
}

export async function fetchOffers(api: HetznerApi): Promise<Offers> {
  // With what is on its way out, Hetzner's catalogue may be longer than a page.
  const [types, balancers, images] = await Promise.all([
    api.all('server_types'),
    api.all('load_balancer_types'),
    api.all('images', { type: 'system', include_deprecated: 'true' }),
  ]);
  return {
    serverTypes: z.array(serverType).parse(types),
    loadBalancerTypes: z.array(balancerType).parse(balancers),
    deprecatedImages: z
      .array(image)
      .parse(images)
      .flatMap(({ name, deprecated }) => (name && deprecated ? [name] : [])),
  };
}

export interface OfferFindings {
  warnings: string[];
  /** New servers of what is going away: rules of the policy. */
  violations: Violation[];
}

/** Types and images that are deprecated, or cannot be ordered where the plan wants them. */
export function offerFindings(plan: Plan, offers: Offers): OfferFindings {
  const found: OfferFindings = { warnings: [], violations: [] };
  for (const { address, type, change } of managed(plan)) {
    if (!change.after) continue;
    const isNew = ['create', 'replace'].includes(kindOf(change));
    const say = (problem: string, rule?: string) => {
      if (isNew && rule) found.violations.push({ rule, address, problem });
      else found.warnings.push(`${address}: ${problem}`);
    };
    const after = change.after as Record<string, unknown>;
    if (type === 'hcloud_server') serverFindings(after, isNew, offers, say);
    if (type === 'hcloud_load_balancer') {
      const name = after.load_balancer_type;
      const ending = offers.loadBalancerTypes.find((sold) => sold.name === name)?.deprecation;
      if (ending) say(endingSentence(`load balancer type ${name}`, ending), 'deprecated-type');
    }
  }
  return found;
}

function serverFindings(
  { server_type, location, image }: Record<string, unknown>,
  isNew: boolean,
  { serverTypes, deprecatedImages }: Offers,
  say: (problem: string, rule?: string) => void,
): void {
  const sold = serverTypes.find(({ name }) => name === server_type);
  const here = sold?.locations.find(({ name }) => name === location);
  const ending = here?.deprecation ?? sold?.deprecation;
  if (ending) say(endingSentence(`server type ${server_type}`, ending), 'deprecated-type');
  if (isNew && deprecatedImages.includes(String(image))) {
    say(`image ${image} is deprecated.`, 'deprecated-image');
  }
  if (isNew && sold && here?.available !== true) {
    say(`server type ${server_type} cannot be ordered in ${location} now.`);
  }
}

function endingSentence(
  what: string,
  { unavailable_after }: { unavailable_after: string },
): string {
  return `${what} is deprecated and ends on ${unavailable_after.slice(0, 10)}.`;
}
