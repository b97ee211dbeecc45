import { z } from 'zod';
import { presentAction } from './actions.ts';
import { contains, gatewayOf, parseRange } from './addresses.ts';
import { collectionRoutes } from './collection.ts';
import { ApiError, invalidInput, parseBody } from './errors.ts';
import { type Answer, created, idOf, noContent, type Route } from './http.ts';
import { addRoute, addSubnet, changeIpRange, deleteRoute, deleteSubnet } from './network-jobs.ts';
import {
  createNetwork,
  hasRoute,
  ipRangeSchema,
  planRoute,
  planSubnet,
  requireEmptySubnet,
  requireRange,
  routeSchema,
  subnetSchema,
} from './network-plans.ts';
import { setLeg } from './private-network.ts';
import { requireUnprotected } from './protection.ts';
import type { Network } from './resources.ts';
import type { Cloud } from './site.ts';
import { type ActionRecord, find, remove } from './world.ts';

const updateSchema = z.object({ expose_routes_to_vswitch: z.boolean().optional() });

export function networkRoutes(cloud: Cloud): Route[] {
  const { world } = cloud;
  const present = (network: Network) => presentNetwork(cloud, network);
  const action = (
    command: string,
    start: (network: Network, body: unknown) => ActionRecord,
  ): Route => ({
    method: 'POST',
    path: `/networks/:id/actions/${command}`,
    handle: (request) => answer(start(find(world, 'network', idOf(request)), request.body)),
  });
  const reference = ({ id }: Network) => [{ id, type: 'network' as const }];
  return [
    ...collectionRoutes(cloud, {
      kind: 'network',
      present,
      planUpdate(network, body) {
        const expose = parseBody(updateSchema, body).expose_routes_to_vswitch;
        return () => {
          network.exposeRoutesToVswitch = expose ?? network.exposeRoutesToVswitch;
        };
      },
    }),
    {
      method: 'POST',
      path: '/networks',
      handle({ body }) {
        const network = createNetwork(cloud, body);
        world.records.network.push(network);
        return created({ network: present(network) });
      },
    },
    {
      method: 'DELETE',
      path: '/networks/:id',
      async handle(request) {
        await deleteNetwork(cloud, find(world, 'network', idOf(request)));
        return noContent();
      },
    },
    action('add_subnet', (network, body) => {
      const subnet = planSubnet(network, parseBody(subnetSchema, body));
      return cloud.actions.start(addSubnet, reference(network), { id: network.id, subnet });
    }),
    action('delete_subnet', (network, body) => {
      const ipRange = parseBody(ipRangeSchema, body).ip_range;
      requireEmptySubnet(cloud, network, ipRange);
      return cloud.actions.start(deleteSubnet, reference(network), { id: network.id, ipRange });
    }),
    action('add_route', (network, body) => {
      const route = planRoute(network, parseBody(routeSchema, body));
      return cloud.actions.start(addRoute, reference(network), { id: network.id, route });
    }),
    action('delete_route', (network, body) => {
      const route = parseBody(routeSchema, body);
      if (!hasRoute(network, route)) throw new ApiError('not_found', 'route not found');
      return cloud.actions.start(deleteRoute, reference(network), { id: network.id, route });
    }),
    action('change_ip_range', (network, body) => {
      const ipRange = parseBody(ipRangeSchema, body).ip_range;
      const range = requireRange(ipRange);
      const current = parseRange(network.ipRange);
      if (!current || !contains(range, current)) {
        throw invalidInput('ip_range', 'the IP range can only be extended');
      }
      return cloud.actions.start(changeIpRange, reference(network), { id: network.id, ipRange });
    }),
  ];
}

function answer(action: ActionRecord): Answer {
  return created({ action: presentAction(action) });
}

/** Members are detached, as at Hetzner; then the segment goes, if it was the real one. */
async function deleteNetwork(cloud: Cloud, network: Network): Promise<void> {
  const { world, machinery, policies, actions } = cloud;
  requireUnprotected(network.deleteProtection, 'network');
  for (const { id } of world.records.server.filter(isMember)) {
    actions.requireIdle({ id, type: 'server' });
  }
  await actions.exclusively({ id: network.id, type: 'network' }, async () => {
    for (const balancer of world.records.load_balancer.filter(isMember)) balancer.privateNet = [];
    await policies.enforce();
    for (const server of world.records.server.filter(isMember)) {
      if (server.machine !== 'none') await setLeg(cloud, server.id, network.id, null);
      server.privateNet = server.privateNet.filter((net) => net.network !== network.id);
    }
    if (world.realizedNetwork === network.id) {
      await machinery.setPrivateNetwork(null);
      world.realizedNetwork = null;
    }
    remove(world, 'network', network.id);
  });

  function isMember(member: { privateNet: { network: number }[] }): boolean {
    return member.privateNet.some((net) => net.network === network.id);
  }
}

function presentNetwork({ world }: Cloud, network: Network) {
  const { id, name, labels, created } = network;
  const members = <T extends { id: number; privateNet: { network: number }[] }>(all: T[]) =>
    all.filter(({ privateNet }) => privateNet.some((net) => net.network === id)).map((m) => m.id);
  return {
    id,
    name,
    labels,
    created,
    ip_range: network.ipRange,
    subnets: network.subnets.map(({ type, ipRange, networkZone }) => ({
      type,
      ip_range: ipRange,
      network_zone: networkZone,
      gateway: gatewayOf(network.ipRange),
      vswitch_id: null,
    })),
    routes: network.routes,
    servers: members(world.records.server),
    load_balancers: members(world.records.load_balancer),
    protection: { delete: network.deleteProtection },
    expose_routes_to_vswitch: network.exposeRoutesToVswitch,
  };
}
