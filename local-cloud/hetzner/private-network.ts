import { formatIp, holds, parseIp, parseRange } from './addresses.ts';
import { ApiError, invalidInput } from './errors.ts';
import type { Network } from './resources.ts';
import type { Site } from './site.ts';
import { find, type World } from './world.ts';

/**
 * The private address for a new member: the wanted one, or the lowest free one of the
 * wanted subnet, or of any.
 * @throws ApiError `ip_not_available`, `no_subnet_available`, `invalid_input`
 */
export function chooseAddress(
  world: World,
  network: Network,
  wanted: { ip?: string | undefined; ip_range?: string | undefined },
): string {
  const subnets = network.subnets.filter(
    ({ ipRange }) => wanted.ip_range === undefined || ipRange === wanted.ip_range,
  );
  if (subnets.length === 0) {
    throw new ApiError('no_subnet_available', `network ${network.name} has no such subnet`);
  }
  const taken = takenAddresses(world, network);
  if (wanted.ip !== undefined) {
    const ip = requireMemberAddress(network, wanted.ip, 'ip');
    if (taken.has(ip)) throw new ApiError('ip_not_available', `IP ${wanted.ip} is not available`);
    return wanted.ip;
  }
  for (const { ipRange } of subnets) {
    const range = parseRange(ipRange);
    if (!range) continue;
    // The first address is the network's or the gateway's, the last one is broadcast.
    for (let ip = range.first + 1; ip < range.last; ip += 1) {
      if (!taken.has(ip)) return formatIp(ip);
    }
  }
  throw new ApiError('no_subnet_available', 'no subnet or IP is available in the network');
}

/** The address as a number, when a member may bear it. @throws ApiError `invalid_input` */
export function requireMemberAddress(network: Network, text: string, field: string): number {
  const ip = parseIp(text);
  const inside = network.subnets.some(({ ipRange }) => {
    const range = parseRange(ipRange);
    return range && ip !== null && ip > range.first && ip < range.last && holds(range, ip);
  });
  if (ip === null || !inside) {
    throw invalidInput(field, `'${text}' is not an address of a subnet of network ${network.name}`);
  }
  return ip;
}

/** Addresses in use, on their way (a running action's), and the gateway. */
export function takenAddresses(world: World, network: Network): Set<number> {
  const gateway = (parseRange(network.ipRange)?.first ?? 0) + 1;
  const attached = [...world.records.server, ...world.records.load_balancer].flatMap((member) =>
    member.privateNet.filter((net) => net.network === network.id),
  );
  const pending = world.actions
    .filter(({ status }) => status === 'running')
    .map(({ input }) => input as { network?: number; ip?: string; aliasIps?: string[] })
    .filter((input) => input.network === network.id);
  const used = [...attached, ...pending].flatMap((net) => [
    net.ip,
    ...('aliasIps' in net ? (net.aliasIps ?? []) : []),
  ]);
  return new Set([gateway, ...used.map((ip) => (ip ? (parseIp(ip) ?? 0) : 0))]);
}

/**
 * Makes this the network that exists in hardware.
 * @throws ApiError `resource_limit_exceeded` while another network has members: the local
 *   cloud has one private segment
 */
export function claimHardware(world: World, network: Network): void {
  const current = world.realizedNetwork;
  if (current !== null && current !== network.id && membersOf(world, current).length > 0) {
    const name = find(world, 'network', current).name;
    throw new ApiError(
      'resource_limit_exceeded',
      `the local cloud has one private network and '${name}' has members; detach them first`,
    );
  }
  world.realizedNetwork = network.id;
}

/** Brings the private segment up; members are attached afterwards. */
export async function realizeNetwork({ world, machinery }: Site, id: number): Promise<void> {
  await machinery.setPrivateNetwork(find(world, 'network', id).ipRange);
}

export function membersOf(world: World, network: number): { id: number; ip: string }[] {
  return [...world.records.server, ...world.records.load_balancer].flatMap((member) =>
    member.privateNet
      .filter((net) => net.network === network)
      .map(({ ip }) => ({ id: member.id, ip })),
  );
}
