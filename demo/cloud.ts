import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { loadIdentity } from '../local-cloud/identity.ts';
import type { Instance } from '../local-cloud/instance.ts';
import { hetznerUrl } from '../local-cloud/runner-files.ts';

const price = z.object({ location: z.string(), price_monthly: z.object({ net: z.string() }) });
const servers = z.object({
  servers: z.array(
    z.object({
      location: z.object({ name: z.string() }),
      server_type: z.object({ prices: z.array(price) }),
    }),
  ),
});
const balancers = z.object({
  load_balancers: z.array(
    z.object({
      public_net: z.object({ ipv4: z.object({ ip: z.string() }) }),
      location: z.object({ name: z.string() }),
      load_balancer_type: z.object({ prices: z.array(price) }),
    }),
  ),
});
const volumes = z.object({ volumes: z.array(z.object({ size: z.number() })) });
const networks = z.object({ networks: z.array(z.unknown()) });
const pricing = z.object({
  pricing: z.object({ volume: z.object({ price_per_gb_month: z.object({ net: z.string() }) }) }),
});

/** What the cloud has after a run, where the application answers, and what Hetzner would ask for it. */
export async function inventoryOf(instance: Instance) {
  const ask = async <T>(path: string, shape: z.ZodType<T>): Promise<T> => {
    const headers = { authorization: `Bearer ${loadIdentity(instance).hcloudToken}` };
    return shape.parse(
      await (await fetch(`${hetznerUrl(instance)}/v1${path}`, { headers })).json(),
    );
  };
  const machines = (await ask('/servers', servers)).servers;
  const edges = (await ask('/load_balancers', balancers)).load_balancers;
  const disks = (await ask('/volumes', volumes)).volumes;
  const ranges = (await ask('/networks', networks)).networks;
  const perGb = Number((await ask('/pricing', pricing)).pricing.volume.price_per_gb_month.net);
  const monthly =
    sum(machines.map((server) => at(server.server_type.prices, server.location.name))) +
    sum(edges.map((edge) => at(edge.load_balancer_type.prices, edge.location.name))) +
    sum(disks.map(({ size }) => size * perGb));
  const address = edges[0]?.public_net.ipv4.ip;
  return {
    url: address === undefined ? undefined : `http://${address}`,
    created: {
      servers: machines.length,
      'load balancers': edges.length,
      volumes: disks.length,
      networks: ranges.length,
    },
    cost: { monthly: monthly.toFixed(2), pricesOf: '2026-09-04' },
    results: (run: number) => resultsOf(instance, run),
  };
}

function at(prices: readonly z.infer<typeof price>[], location: string): number {
  return Number(prices.find((entry) => entry.location === location)?.price_monthly.net ?? 0);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

const artifacts = z.array(z.object({ runId: z.string(), name: z.string(), blob: z.string() }));

/** The zip that action-smoke uploaded in this run. */
function resultsOf(instance: Instance, run: number): string | undefined {
  const folder = join(instance.stateDirectory, 'github', 'artifacts');
  const index = join(folder, 'artifacts.json');
  if (!existsSync(index)) return undefined;
  const found = artifacts
    .parse(JSON.parse(readFileSync(index, 'utf8')))
    .find(({ runId, name }) => runId === String(run) && name === 'smoke-results');
  return found && join(folder, found.blob);
}
