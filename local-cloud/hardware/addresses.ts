import type { Instance } from '../instance.ts';

/** What servers have as their gateway on the public side, as at Hetzner. */
export const PUBLIC_GATEWAY = '172.31.1.1';

/** The router's own address on the uplink: the last of the instance's slice. */
export function routerAddress(instance: Instance): string {
  return `203.0.113.${instance.number * 16 + 15}`;
}

/**
 * The first address of a private network: its gateway, as at Hetzner.
 * @throws Error when `cidr` is no IPv4 range.
 */
export function networkGateway(cidr: string): string {
  const match = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\/(\d+)$/.exec(cidr);
  const [a, b, c, d, bits] = match?.slice(1).map(Number) ?? [];
  if (a === undefined || b === undefined || c === undefined || d === undefined || !bits) {
    throw new Error(`the private network's range "${cidr}" is no IPv4 range such as 10.0.0.0/16`);
  }
  const mask = (0xffffffff << (32 - bits)) >>> 0;
  const first = (((a << 24) | (b << 16) | (c << 8) | d) & mask) + 1;
  return [24, 16, 8, 0].map((shift) => (first >>> shift) & 255).join('.');
}

/** A hardware address that stays the same over reboots; the prefix is Hetzner's. */
export function macAddress(prefix: '96:00' | '86:00', id: number): string {
  const octets = [24, 16, 8, 0].map((shift) => ((id >>> shift) & 255).toString(16));
  return `${prefix}:${octets.map((octet) => octet.padStart(2, '0')).join(':')}`;
}
