import { managed, type Plan } from './plan.ts';
import type { Prices } from './prices.ts';

export interface Cost {
  currency: string;
  readAt: Date;
  /** Net, a month. */
  before: number;
  after: number;
  lines: CostLine[];
  /** What has a price that the catalogue does not know: the sums leave it out. */
  unpriced: string[];
}

export interface CostLine {
  address: string;
  what: string;
  before: number;
  after: number;
}

interface Priced {
  what: string;
  price: number | undefined;
}

/** Monthly cost before and after the plan, of what Hetzner bills by the month. */
export function costOf(plan: Plan, prices: Prices): Cost {
  const lines: CostLine[] = [];
  const unpriced: string[] = [];
  for (const { address, type, change } of managed(plan)) {
    const before = priced(type, change.before, prices);
    const after = priced(type, change.after, prices);
    const what = after?.what ?? before?.what;
    if (what === undefined) continue;
    if ([before, after].some((side) => side && side.price === undefined)) {
      unpriced.push(`${address} (${what})`);
    }
    lines.push({ address, what, before: before?.price ?? 0, after: after?.price ?? 0 });
  }
  return {
    currency: prices.currency,
    readAt: prices.readAt,
    before: sum(lines.map((line) => line.before)),
    after: sum(lines.map((line) => line.after)),
    lines,
    unpriced,
  };
}

function priced(type: string, values: unknown, prices: Prices): Priced | undefined {
  if (values === null || typeof values !== 'object') return undefined;
  const of = values as Record<string, unknown>;
  const location = String(of.location ?? '');
  if (type === 'hcloud_server') return server(of, location, prices);
  if (type === 'hcloud_volume') {
    const size = Number(of.size);
    return { what: `volume, ${size} GB`, price: size * prices.volumePerGb };
  }
  if (type === 'hcloud_load_balancer') {
    const name = String(of.load_balancer_type);
    return { what: `${name} in ${location}`, price: prices.loadBalancer(name, location) };
  }
  return undefined;
}

function server(of: Record<string, unknown>, location: string, prices: Prices): Priced {
  const name = String(of.server_type);
  const base = prices.server(name, location);
  const address = hasIpv4(of.public_net) ? (prices.ipv4(location) ?? 0) : 0;
  const backups = of.backups === true;
  const what = `${name} in ${location}${backups ? ', backups' : ''}${address > 0 ? ', IPv4' : ''}`;
  if (base === undefined) return { what, price: undefined };
  return { what, price: base * (backups ? 1 + prices.backupShare : 1) + address };
}

/** A server without a `public_net` block gets an address of each kind. */
function hasIpv4(publicNet: unknown): boolean {
  if (!Array.isArray(publicNet) || publicNet.length === 0) return true;
  return publicNet.some((net) => net?.ipv4_enabled !== false);
}

function sum(numbers: number[]): number {
  return Math.round(numbers.reduce((total, number) => total + number, 0) * 100) / 100;
}
