import { z } from 'zod';

/** The name that an address bears, or one address of an IPv6 range. */
export interface DnsPtr {
  ip: string;
  dnsPtr: string;
}

export const dnsPtrSchema = z.object({ ip: z.string(), dns_ptr: z.string().nullable() });

/** The names with one changed, or taken away by null. */
export function withName(names: DnsPtr[], ip: string, name: string | null): DnsPtr[] {
  const others = names.filter((entry) => entry.ip !== ip);
  return name === null ? others : [...others, { ip, dnsPtr: name }];
}

export function presentNames(names: DnsPtr[]) {
  return names.map(({ ip, dnsPtr }) => ({ ip, dns_ptr: dnsPtr }));
}
