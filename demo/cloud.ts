import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { loadIdentity } from '../local-cloud/identity.ts';
import type { Instance } from '../local-cloud/instance.ts';
import { hetznerUrl } from '../local-cloud/runner-files.ts';

const balancers = z.object({
  load_balancers: z.array(
    z.object({ public_net: z.object({ ipv4: z.object({ ip: z.string() }) }) }),
  ),
});
const servers = z.object({ servers: z.array(z.unknown()) });
const volumes = z.object({ volumes: z.array(z.unknown()) });
const networks = z.object({ networks: z.array(z.unknown()) });

/** What the cloud has after a run, and where the application answers. */
export type Inventory = Awaited<ReturnType<typeof inventoryOf>>;

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
  const address = edges[0]?.public_net.ipv4.ip;
  return {
    url: address === undefined ? undefined : `http://${address}`,
    created: {
      server: machines.length,
      'load balancer': edges.length,
      volume: disks.length,
      network: ranges.length,
    },
    results: (run: number) => resultsOf(instance, run),
  };
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
