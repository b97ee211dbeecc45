import { formatIp, holds, overlaps, parseIp, parseRange } from './addresses.ts';
import { ApiError, invalidInput } from './errors.ts';
import type { Network } from './resources.ts';
import type { Site } from './site.ts';
import { find, type World } from './world.ts';

/** Networks that one server can be in. */
const MOST_NETWORKS = 3;

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
 * Makes this the network that exists in hardware, unless another one with members does; a
 * further one is only booked.
 * @throws ApiError `resource_limit_exceeded` when more networks would have members than the
 *   site takes
 */
export function claimHardware({ world, abilities }: Site, network: Network): void {
  const others = world.records.network.filter(
    ({ id }) => id !== network.id && membersOf(world, id).length > 0,
  );
  if (others.length >= abilities.networks) {
    const names = others.map(({ name }) => `'${name}'`).join(', ');
    throw new ApiError(
      'resource_limit_exceeded',
      `networks with members in this local cloud: ${names}, ${abilities.networks} at most; detach them first`,
    );
  }
  if (!others.some(({ id }) => id === world.realizedNetwork)) world.realizedNetwork = network.id;
}

/** Brings the private segment up, if this network is the one; members are attached afterwards. */
export async function realizeNetwork({ world, machinery }: Site, id: number): Promise<void> {
  if (world.realizedNetwork !== id) return;
  await machinery.setPrivateNetwork(find(world, 'network', id).ipRange);
}

/** Gives a server its leg, or takes it away, if this network exists in hardware. */
export async function setLeg(
  { world, machinery }: Site,
  server: number,
  network: number,
  ip: string | null,
): Promise<void> {
  if (world.realizedNetwork === network) await machinery.setPrivateAddress(server, ip);
}

/**
 * What forbids a server another network.
 * @throws ApiError `server_already_attached`, `networks_overlap`, `resource_limit_exceeded`
 */
export function requireRoomFor(world: World, joined: number[], network: Network): void {
  if (joined.includes(network.id)) {
    throw new ApiError('server_already_attached', 'server is already attached to the network');
  }
  if (joined.length >= MOST_NETWORKS) {
    throw new ApiError('resource_limit_exceeded', `a server has ${MOST_NETWORKS} networks at most`);
  }
  const range = parseRange(network.ipRange);
  for (const id of joined) {
    const other = parseRange(find(world, 'network', id).ipRange);
    if (range && other && overlaps(range, other)) {
      throw new ApiError('networks_overlap', `network ${network.name} overlaps with network ${id}`);
    }
  }
}

export function membersOf(world: World, network: number): { id: number; ip: string }[] {
  return [...world.records.server, ...world.records.load_balancer].flatMap((member) =>
    member.privateNet
      .filter((net) => net.network === network)
      .map(({ ip }) => ({ id: member.id, ip })),
  );
}
