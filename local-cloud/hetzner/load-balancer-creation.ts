import { z } from 'zod';
import { presentAction } from './actions.ts';
import { freeLoadBalancerAddress, freeLoadBalancerIpv6 } from './address-pool.ts';
import { loadBalancerType, location, locations } from './catalogue.ts';
import { ApiError, invalidInput, parseBody } from './errors.ts';
import { type Answer, created } from './http.ts';
import { labelsSchema } from './labels.ts';
import { createLoadBalancer } from './load-balancer-jobs.ts';
import { presentWith } from './load-balancer-presentation.ts';
import { newServiceSchema, planService, requireServable } from './load-balancer-services.ts';
import { readTarget, requireTarget, targetSchema } from './load-balancer-targets.ts';
import { chooseAddress, claimHardware } from './private-network.ts';
import type { LoadBalancer } from './resources.ts';
import type { Cloud } from './site.ts';
import { find, newId, requireUniqueName } from './world.ts';

export const algorithm = z.enum(['round_robin', 'least_connections']);
export const idOrName = z.union([z.string(), z.int()]);
const createSchema = z.object({
  name: z.string().min(1).max(64),
  load_balancer_type: idOrName,
  algorithm: z.object({ type: algorithm }).default({ type: 'round_robin' }),
  location: idOrName.optional(),
  network_zone: z.string().optional(),
  labels: labelsSchema.default({}),
  services: z.array(newServiceSchema).default([]),
  targets: z.array(targetSchema).default([]),
  public_interface: z.boolean().default(true),
  network: z.int().optional(),
});
/** @throws ApiError `resource_limit_exceeded` */
export function requireWithinLimits(balancer: LoadBalancer): void {
  const type = loadBalancerType(balancer.loadBalancerType);
  if (balancer.services.length > type.max_services || balancer.targets.length > type.max_targets) {
    throw new ApiError(
      'resource_limit_exceeded',
      `${type.name} takes ${type.max_services} services and ${type.max_targets} targets`,
    );
  }
}

/** `POST /load_balancers`. */
export function createLoadBalancerFrom(cloud: Cloud, body: unknown): Answer {
  const { world, actions } = cloud;
  const wanted = parseBody(createSchema, body);
  requireUniqueName(world, 'load_balancer', wanted.name);
  const balancer: LoadBalancer = {
    id: newId(world),
    name: wanted.name,
    labels: wanted.labels,
    created: new Date().toISOString(),
    loadBalancerType: loadBalancerType(wanted.load_balancer_type).name,
    location: placeOf(wanted),
    publicIp: freeLoadBalancerAddress(cloud),
    publicIpv6: freeLoadBalancerIpv6(cloud),
    dnsPtr: [],
    publicInterface: wanted.public_interface,
    algorithm: wanted.algorithm.type,
    privateNet: [],
    services: [],
    targets: [],
    deleteProtection: false,
  };
  for (const service of wanted.services) {
    const planned = planService(service, balancer);
    requireServable(cloud, planned);
    balancer.services.push(planned);
  }
  const network = wanted.network === undefined ? null : find(world, 'network', wanted.network);
  if (network) {
    const ip = chooseAddress(world, network, {});
    balancer.privateNet.push({ network: network.id, ip });
  }
  for (const request of wanted.targets) {
    const target = readTarget(cloud, request);
    requireTarget(cloud, balancer, target);
    balancer.targets.push(target);
  }
  requireWithinLimits(balancer);
  if (network) claimHardware(cloud, network);
  world.records.load_balancer.push(balancer);
  const action = actions.start(createLoadBalancer, [{ id: balancer.id, type: 'load_balancer' }], {
    id: balancer.id,
    network: network?.id ?? null,
  });
  return created({
    load_balancer: presentWith(cloud, balancer, {}),
    action: presentAction(action),
  });
}

function placeOf(wanted: z.infer<typeof createSchema>): string {
  if (wanted.location !== undefined) return location(wanted.location).name;
  const found = locations.find(({ network_zone }) => network_zone === wanted.network_zone);
  if (!found) throw invalidInput('location', 'either a location or a network zone is needed');
  return found.name;
}
