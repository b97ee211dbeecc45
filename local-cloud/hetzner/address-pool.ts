import { loopback, publicAddresses } from '../instance.ts';
import { ApiError } from './errors.ts';
import type { FloatingIp, PrimaryIp } from './resources.ts';
import type { Site } from './site.ts';
import { newId } from './world.ts';

/**
 * A new primary IP with the lowest free address.
 * @throws ApiError `resource_limit_exceeded` when the instance's addresses are used up
 */
export function newPrimaryIp(
  { world, instance }: Site,
  wanted: Pick<PrimaryIp, 'type' | 'location' | 'labels' | 'autoDelete'> & { name?: string },
): PrimaryIp {
  const id = newId(world);
  const used = new Set(world.records.primary_ip.map(({ ip }) => ip));
  const pool =
    wanted.type === 'ipv4'
      ? publicAddresses(instance)
      : Array.from({ length: 64 }, (_, i) => ipv6Range(instance.number, i + 1));
  const ip = pool.find((address) => !used.has(address));
  if (!ip) {
    throw new ApiError(
      'resource_limit_exceeded',
      `all ${pool.length} ${wanted.type} addresses of this local cloud are in use`,
    );
  }
  return {
    id,
    name: wanted.name ?? `primary_ip-${id}`,
    labels: wanted.labels,
    created: new Date().toISOString(),
    type: wanted.type,
    ip,
    location: wanted.location,
    assignee: null,
    autoDelete: wanted.autoDelete,
    deleteProtection: false,
    dnsPtr: [],
  };
}

/** Of the documentation prefix: accounted for like at Hetzner, but nothing routes it. */
function ipv6Range(instance: number, index: number): string {
  return `2001:db8:${instance.toString(16)}:${index.toString(16)}::/64`;
}

/** The lowest free loopback address for a load balancer's public side. */
export function freeLoadBalancerAddress({ world, instance }: Site): string {
  const used = new Set(world.records.load_balancer.map(({ publicIp }) => publicIp));
  for (let host = 10; host < 255; host += 1) {
    const address = loopback(instance, host);
    if (!used.has(address)) return address;
  }
  throw new ApiError('resource_limit_exceeded', 'all load balancer addresses are in use');
}

/** The lowest free public IPv6 for a load balancer: one address, of a range of its own. */
export function freeLoadBalancerIpv6({ world, instance }: Site): string {
  const used = new Set(world.records.load_balancer.map(({ publicIpv6 }) => publicIpv6));
  let index = 1;
  const address = () => `2001:db8:${instance.number.toString(16)}:ffff::${index.toString(16)}`;
  while (used.has(address())) index += 1;
  return address();
}

/** The lowest free floating address, of documentation ranges that nothing else here uses. */
export function freeFloatingAddress({ world, instance }: Site, type: FloatingIp['type']): string {
  const used = new Set(world.records.floating_ip.map(({ ip }) => ip));
  for (let index = 1; index < 255; index += 1) {
    const address =
      type === 'ipv4'
        ? `198.51.100.${index}`
        : `2001:db8:${instance.number.toString(16)}:${(0xf000 + index).toString(16)}::/64`;
    if (!used.has(address)) return address;
  }
  throw new ApiError('resource_limit_exceeded', `all ${type} floating addresses are in use`);
}
