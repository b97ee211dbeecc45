import { z } from 'zod';
import { ApiError } from './errors.ts';
import { parseSelector } from './labels.ts';
import { publicIpv4, targetAddress, targetServers } from './policies.ts';
import type { LoadBalancer, Server, Target } from './resources.ts';
import type { Cloud } from './site.ts';
import { find } from './world.ts';

const usePrivateIp = z.boolean().default(false);
export const targetSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('server'),
    server: z.object({ id: z.int() }),
    use_private_ip: usePrivateIp,
  }),
  z.object({
    type: z.literal('label_selector'),
    label_selector: z.object({ selector: z.string() }),
    use_private_ip: usePrivateIp,
  }),
  z.object({ type: z.literal('ip'), ip: z.object({ ip: z.string() }) }),
]);

/**
 * A target as it is stored.
 * @throws ApiError for IP targets: they are dedicated servers, which nobody owns here
 */
export function readTarget({ world }: Cloud, wanted: z.infer<typeof targetSchema>): Target {
  switch (wanted.type) {
    case 'server':
      return {
        type: 'server',
        server: wanted.server.id,
        usePrivateIp: wanted.use_private_ip,
      };
    case 'label_selector':
      return {
        type: 'label_selector',
        selector: wanted.label_selector.selector,
        usePrivateIp: wanted.use_private_ip,
      };
    case 'ip': {
      const { ip } = wanted.ip;
      const isOurs = world.records.primary_ip.some((record) => record.ip === ip);
      throw isOurs
        ? new ApiError('cloud_resource_ip_not_allowed', `${ip} belongs to a cloud server`)
        : new ApiError('ip_not_owned', `${ip} is no dedicated server of this project`);
    }
  }
}

/**
 * What forbids a target, if anything.
 * @throws ApiError `target_already_defined`, `load_balancer_not_attached_to_network`,
 *   `server_not_attached_to_network`, `missing_ipv4`
 */
export function requireTarget({ world }: Cloud, balancer: LoadBalancer, target: Target): void {
  if (balancer.targets.some((other) => isSameTarget(other, target))) {
    throw new ApiError('target_already_defined', 'load balancer target is already defined');
  }
  if (target.usePrivateIp && balancer.privateNet.length === 0) {
    throw new ApiError(
      'load_balancer_not_attached_to_network',
      'load balancer is not attached to a network',
    );
  }
  if (target.type === 'label_selector') {
    parseSelector(target.selector);
    return;
  }
  const server = find(world, 'server', target.server);
  if (target.usePrivateIp && !targetAddress(world, balancer, server, true)) {
    throw new ApiError(
      'server_not_attached_to_network',
      `server ${server.name} is not attached to the load balancer's network`,
    );
  }
  if (!target.usePrivateIp && !publicIpv4(world, server)) {
    throw new ApiError('missing_ipv4', `server ${server.name} has no public IPv4`);
  }
}

export function isSameTarget(a: Target, b: Target): boolean {
  if (a.type === 'server') return b.type === 'server' && a.server === b.server;
  return b.type === 'label_selector' && a.selector === b.selector;
}

type Health = Record<string, 'healthy' | 'unhealthy' | 'unknown'>;

/** A target as clients see it, with what the balancer knows of its health. */
export function presentTarget(
  { world }: Cloud,
  balancer: LoadBalancer,
  target: Target,
  health: Health,
) {
  const presentServer = (server: Server) => ({
    type: 'server',
    server: { id: server.id },
    use_private_ip: target.usePrivateIp,
    health_status: balancer.services.map(({ listenPort }) => {
      const address = targetAddress(world, balancer, server, target.usePrivateIp);
      return { listen_port: listenPort, status: health[`${listenPort}/${address}`] ?? 'unknown' };
    }),
  });
  if (target.type === 'server') return presentServer(find(world, 'server', target.server));
  return {
    type: 'label_selector',
    label_selector: { selector: target.selector },
    use_private_ip: target.usePrivateIp,
    targets: targetServers(world, target).map(presentServer),
  };
}
