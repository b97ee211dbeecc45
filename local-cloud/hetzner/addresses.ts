import { isIPv6 } from 'node:net';

/** IPv4 arithmetic on numbers; ranges are written `a.b.c.d/len`. */
export interface Range {
  first: number;
  last: number;
  prefix: number;
}

/** The address as a number, or null when the text is not an IPv4 address. */
export function parseIp(text: string): number | null {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1).map(Number);
  if (!parts || parts.some((part) => part > 255)) return null;
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

export function formatIp(ip: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(ip / 2 ** shift) % 256).join('.');
}

/** The range, or null when the text is not one or has host bits set. */
export function parseRange(text: string): Range | null {
  const [address = '', length = ''] = text.split('/');
  const first = parseIp(address);
  const prefix = Number(length);
  if (first === null || !/^\d{1,2}$/.test(length) || prefix > 32) return null;
  const size = 2 ** (32 - prefix);
  return first % size === 0 ? { first, last: first + size - 1, prefix } : null;
}

export function contains(outer: Range, inner: Range): boolean {
  return outer.first <= inner.first && inner.last <= outer.last;
}

export function overlaps(a: Range, b: Range): boolean {
  return a.first <= b.last && b.first <= a.last;
}

export function holds(range: Range, ip: number): boolean {
  return range.first <= ip && ip <= range.last;
}

/** The gateway of every subnet is the first address of the whole network. */
export function gatewayOf(networkRange: string): string {
  const range = parseRange(networkRange);
  return range ? formatIp(range.first + 1) : '';
}

/**
 * A range of either family as the API keeps it: IPv6 in RFC 5952's form. Null when the text
 * is none, or has host bits set.
 */
export function canonicalRange(text: string): string | null {
  const [address = '', length = ''] = text.split('/');
  if (!isIPv6(address)) return parseRange(text) && text;
  const prefix = Number(length);
  if (!/^\d{1,3}$/.test(length) || prefix > 128) return null;
  // A URL's host is written in that form.
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
  return ipv6Number(canonical) % 2n ** BigInt(128 - prefix) === 0n
    ? `${canonical}/${prefix}`
    : null;
}

/** The value of an address in RFC 5952's form. */
function ipv6Number(address: string): bigint {
  const [head = '', tail] = address.split('::');
  const words = (part: string) => part.split(':').filter(Boolean);
  const before = words(head);
  const after = tail === undefined ? [] : words(tail);
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0');
  return [...before, ...zeros, ...after].reduce(
    (value, word) => value * 65_536n + BigInt(`0x${word}`),
    0n,
  );
}
