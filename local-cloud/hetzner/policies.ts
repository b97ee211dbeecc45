import type {
  FirewallPolicy,
  LoadBalancerSpec,
  Machinery,
  FirewallRule as MachineryRule,
} from '../machinery.ts';
import { parseSelector } from './labels.ts';
import type { Firewall, LoadBalancer, Server, Target } from './resources.ts';
import type { World } from './world.ts';

/**
 * Keeps firewalls and load balancers as the world says: the whole policy is computed
 * anew for every change, one at a time, and handed over only when it differs.
 */
export class Policies {
  readonly #world: World;
  readonly #machinery: Machinery;
  #tail: Promise<unknown> = Promise.resolve();
  #applied = { firewalls: '', loadBalancers: '' };

  constructor(world: World, machinery: Machinery) {
    this.#world = world;
    this.#machinery = machinery;
  }

  /** Resolves when both are enforced as the world is now, or later. */
  enforce(): Promise<void> {
    const turn = this.#tail.then(() => this.#enforceNow());
    this.#tail = turn.catch(() => undefined);
    return turn;
  }

  async #enforceNow(): Promise<void> {
    const firewalls = firewallPolicies(this.#world);
    if (this.#applied.firewalls !== JSON.stringify(firewalls)) {
      await this.#machinery.setFirewalls(firewalls);
      this.#applied.firewalls = JSON.stringify(firewalls);
    }
    const balancers = loadBalancerSpecs(this.#world);
    if (this.#applied.loadBalancers !== JSON.stringify(balancers)) {
      await this.#machinery.setLoadBalancers(balancers);
      this.#applied.loadBalancers = JSON.stringify(balancers);
    }
  }
}

/** What may come in, for every server with a firewall and a public IPv4. */
export function firewallPolicies(world: World): FirewallPolicy[] {
  return world.records.server.flatMap((server) => {
    const publicIp = publicIpv4(world, server);
    const firewalls = firewallsOf(world, server);
    if (!publicIp || firewalls.length === 0) return [];
    return [{ serverId: server.id, publicIp, inbound: firewalls.flatMap(inboundRules) }];
  });
}

function inboundRules(firewall: Firewall): MachineryRule[] {
  return firewall.rules
    .filter(({ direction }) => direction === 'in')
    .map(({ protocol, port, sourceIps }) => ({
      protocol,
      port: port === 'any' ? null : port,
      sourceIps,
    }));
}

/** The firewalls of a server, applied to it by its ID or by a label selector. */
export function firewallsOf(world: World, server: Server): Firewall[] {
  return world.records.firewall.filter(({ appliedTo }) =>
    appliedTo.some((target) =>
      target.type === 'server'
        ? target.server === server.id
        : parseSelector(target.selector)(server.labels),
    ),
  );
}

export function loadBalancerSpecs(world: World): LoadBalancerSpec[] {
  return world.records.load_balancer
    .filter(({ publicInterface }) => publicInterface)
    .map((balancer) => ({
      id: balancer.id,
      name: balancer.name,
      publicIp: balancer.publicIp,
      privateIp: balancer.privateNet[0]?.ip ?? null,
      algorithm: balancer.algorithm,
      services: balancer.services.map(({ healthCheck, ...service }) => ({
        // The machinery knows plain services; others are refused unless it only records.
        protocol: service.protocol === 'tcp' ? 'tcp' : 'http',
        listenPort: service.listenPort,
        destinationPort: service.destinationPort,
        proxyProtocol: service.proxyprotocol,
        healthCheck: {
          protocol: healthCheck.protocol,
          port: healthCheck.port,
          intervalSeconds: healthCheck.interval,
          timeoutSeconds: healthCheck.timeout,
          retries: healthCheck.retries,
          path: healthCheck.http?.path ?? null,
          domain: healthCheck.http?.domain || null,
          statusCodes: healthCheck.http?.statusCodes ?? [],
        },
      })),
      targets: [
        ...new Set(balancer.targets.flatMap((target) => addresses(world, balancer, target))),
      ],
    }));
}

function addresses(world: World, balancer: LoadBalancer, target: Target): string[] {
  return targetServers(world, target).flatMap(
    (server) => targetAddress(world, balancer, server, target.usePrivateIp) ?? [],
  );
}

/** The servers behind a target: itself, or those that the selector matches now. */
export function targetServers(world: World, target: Target): Server[] {
  return world.records.server.filter((server) =>
    target.type === 'server'
      ? server.id === target.server
      : parseSelector(target.selector)(server.labels),
  );
}

/** Where the balancer reaches a server, or null when it has no such address. */
export function targetAddress(
  world: World,
  balancer: LoadBalancer,
  server: Server,
  usePrivateIp: boolean,
): string | null {
  if (!usePrivateIp) return publicIpv4(world, server);
  const network = balancer.privateNet[0]?.network;
  return server.privateNet.find((net) => net.network === network)?.ip ?? null;
}

export function publicIpv4(world: World, server: Server): string | null {
  const own = world.records.primary_ip.find(
    ({ type, assignee }) => type === 'ipv4' && assignee === server.id,
  );
  return own?.ip ?? null;
}
