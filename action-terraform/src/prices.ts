import { z } from 'zod';
import type { HetznerApi } from '../../lib/hetzner/api.ts';

const amount = z.object({ net: z.string() });
const located = z.array(z.object({ location: z.string(), price_monthly: amount }));

const pricing = z.object({
  pricing: z.object({
    currency: z.string(),
    volume: z.object({ price_per_gb_month: amount }),
    server_backup: z.object({ percentage: z.string() }),
    primary_ips: z.array(z.object({ type: z.string(), prices: located })),
    server_types: z.array(z.object({ name: z.string(), prices: located })),
    load_balancer_types: z.array(z.object({ name: z.string(), prices: located })),
  }),
});

/** Hetzner's net prices a month, as its API tells them. */
export interface Prices {
  currency: string;
  /** When they were read: a catalogue has no date of its own. */
  readAt: Date;
  /** Price of a type in a location, or undefined when it is not sold there. */
  server(type: string, location: string): number | undefined;
  loadBalancer(type: string, location: string): number | undefined;
  ipv4(location: string): number | undefined;
  volumePerGb: number;
  /** Share of a server's price that its backups add, such as 0.2. */
  backupShare: number;
}

/** @throws Error when the API refuses the token, cannot be reached or answers something else */
export async function fetchPrices(api: HetznerApi): Promise<Prices> {
  return pricesFrom(await api.get('/pricing'), new Date());
}

export function pricesFrom(body: unknown, readAt: Date): Prices {
  const { pricing: list } = pricing.parse(body);
  const inLocation = (prices: z.infer<typeof located> | undefined, location: string) => {
    const net = prices?.find((price) => price.location === location)?.price_monthly.net;
    return net === undefined ? undefined : Number(net);
  };
  const named = (entries: typeof list.server_types, name: string) =>
    entries.find((entry) => entry.name === name)?.prices;
  return {
    currency: list.currency,
    readAt,
    server: (type, location) => inLocation(named(list.server_types, type), location),
    loadBalancer: (type, location) => inLocation(named(list.load_balancer_types, type), location),
    ipv4: (location) =>
      inLocation(list.primary_ips.find((ip) => ip.type === 'ipv4')?.prices, location),
    volumePerGb: Number(list.volume.price_per_gb_month.net),
    backupShare: Number(list.server_backup.percentage) / 100,
  };
}
