import { z } from 'zod';
import { contains, formatIp, gatewayOf, overlaps, parseIp, parseRange } from './addresses.ts';
import { locations } from './catalogue.ts';
import { ApiError, invalidInput, notAvailable, parseBody } from './errors.ts';
import { labelsSchema } from './labels.ts';
import { membersOf } from './private-network.ts';
import type { Network, Subnet } from './resources.ts';
import type { Cloud } from './site.ts';
import { newId, requireUniqueName } from './world.ts';

const PRIVATE_RANGES = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'];

export const subnetSchema = z.object({
  type: z.enum(['cloud', 'server', 'vswitch']),
  ip_range: z.string().optional(),
  network_zone: z.string(),
});
export const routeSchema = z.object({ destination: z.string(), gateway: z.string() });
export const ipRangeSchema = z.object({ ip_range: z.string() });
const createSchema = z.object({
  name: z.string().min(1).max(64),
  ip_range: z.string(),
  subnets: z.array(subnetSchema).default([]),
  routes: z.array(routeSchema).default([]),
  labels: labelsSchema.default({}),
  expose_routes_to_vswitch: z.boolean().default(false),
});
/** A new network with its subnets and routes. @throws ApiError */
export function createNetwork({ world }: Cloud, body: unknown): Network {
  const wanted = parseBody(createSchema, body);
  requireUniqueName(world, 'network', wanted.name);
  requireRange(wanted.ip_range);
  const network: Network = {
    id: newId(world),
    name: wanted.name,
    labels: wanted.labels,
    created: new Date().toISOString(),
    ipRange: wanted.ip_range,
    subnets: [],
    routes: [],
    deleteProtection: false,
    exposeRoutesToVswitch: wanted.expose_routes_to_vswitch,
  };
  for (const subnet of wanted.subnets) network.subnets.push(planSubnet(network, subnet));
  for (const route of wanted.routes) network.routes.push(planRoute(network, route));
  return network;
}

export function requireRange(text: string) {
  const range = parseRange(text);
  const isPrivate = PRIVATE_RANGES.map(parseRange).some(
    (whole) => range && whole && contains(whole, range),
  );
  if (!range || !isPrivate || range.prefix > 29) {
    throw invalidInput('ip_range', `'${text}' is not a private IPv4 range of /29 or larger`);
  }
  return range;
}

/** The subnet to add; without a range, the first free /24. */
export function planSubnet(network: Network, wanted: z.infer<typeof subnetSchema>): Subnet {
  if (wanted.type === 'vswitch') throw notAvailable('a subnet of type vswitch');
  if (!locations.some(({ network_zone }) => network_zone === wanted.network_zone)) {
    throw invalidInput('network_zone', `network zone '${wanted.network_zone}' does not exist`);
  }
  const whole = requireRange(network.ipRange);
  const others = network.subnets.flatMap(({ ipRange }) => parseRange(ipRange) ?? []);
  const ipRange = wanted.ip_range ?? firstFree24(whole, others);
  const range = requireRange(ipRange);
  if (!contains(whole, range)) {
    throw invalidInput('ip_range', `'${ipRange}' is not inside ${network.ipRange}`);
  }
  if (others.some((other) => overlaps(other, range))) {
    throw invalidInput('ip_range', `'${ipRange}' overlaps with another subnet`);
  }
  return { type: wanted.type, ipRange, networkZone: wanted.network_zone };
}

function firstFree24(whole: ReturnType<typeof requireRange>, others: (typeof whole)[]): string {
  for (let first = whole.first; first + 255 <= whole.last; first += 256) {
    const range = { first, last: first + 255, prefix: 24 };
    if (!others.some((other) => overlaps(other, range))) return `${formatIp(first)}/24`;
  }
  throw invalidInput('ip_range', 'the network has no free /24 range');
}

export function planRoute(network: Network, route: { destination: string; gateway: string }) {
  if (!parseRange(route.destination)) {
    throw invalidInput('destination', `'${route.destination}' is not an IPv4 range`);
  }
  if (parseIp(route.gateway) === null || route.gateway === gatewayOf(network.ipRange)) {
    throw invalidInput('gateway', `'${route.gateway}' cannot be a gateway`);
  }
  if (hasRoute(network, route)) {
    throw invalidInput('destination', `route to ${route.destination} already exists`);
  }
  return route;
}

export function hasRoute(
  network: Network,
  route: { destination: string; gateway: string },
): boolean {
  return network.routes.some(
    (other) => other.destination === route.destination && other.gateway === route.gateway,
  );
}

export function requireEmptySubnet({ world }: Cloud, network: Network, ipRange: string): void {
  const range = parseRange(ipRange);
  if (!range || !network.subnets.some((subnet) => subnet.ipRange === ipRange)) {
    throw new ApiError('not_found', `subnet ${ipRange} not found`);
  }
  const inside = membersOf(world, network.id).some(({ ip }) => {
    const address = parseIp(ip);
    return address !== null && range.first <= address && address <= range.last;
  });
  // The provider waits and retries on exactly these words.
  if (inside) throw new ApiError('service_error', 'cannot remove subnet, servers are attached');
}
