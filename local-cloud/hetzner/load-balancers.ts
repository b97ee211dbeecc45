import { z } from 'zod';
import { type Job, presentAction } from './actions.ts';
import { loadBalancerType } from './catalogue.ts';
import { collectionRoutes } from './collection.ts';
import { ApiError, invalidInput, notAvailable, parseBody } from './errors.ts';
import { created, idOf, ok, type Route } from './http.ts';
import {
  algorithm,
  createLoadBalancerFrom,
  idOrName,
  requireWithinLimits,
} from './load-balancer-creation.ts';
import * as jobs from './load-balancer-jobs.ts';
import { presentLoadBalancer } from './load-balancer-presentation.ts';
import {
  changedServiceSchema,
  changeService,
  newServiceSchema,
  planService,
  requireServable,
} from './load-balancer-services.ts';
import { isSameTarget, readTarget, requireTarget, targetSchema } from './load-balancer-targets.ts';
import { chooseAddress, claimHardware } from './private-network.ts';
import { requireUnprotected } from './protection.ts';
import type { LoadBalancer } from './resources.ts';
import { dnsPtrSchema } from './reverse-dns.ts';
import type { Cloud } from './site.ts';
import { find, remove } from './world.ts';

const attachSchema = z.object({
  network: z.int(),
  ip: z.string().optional(),
  ip_range: z.string().optional(),
});
const networkSchema = z.object({ network: z.int() });
const portSchema = z.object({ listen_port: z.int() });
const algorithmSchema = z.object({ type: algorithm });
const typeSchema = z.object({ load_balancer_type: idOrName });

export function loadBalancerRoutes(cloud: Cloud): Route[] {
  const { world, policies, actions } = cloud;
  return [
    ...collectionRoutes(cloud, {
      kind: 'load_balancer',
      present: (balancer) => presentLoadBalancer(cloud, balancer),
    }),
    {
      method: 'POST',
      path: '/load_balancers',
      handle: ({ body }) => createLoadBalancerFrom(cloud, body),
    },
    {
      method: 'DELETE',
      path: '/load_balancers/:id',
      async handle(request) {
        const balancer = find(world, 'load_balancer', idOf(request));
        requireUnprotected(balancer.deleteProtection, 'load_balancer');
        await actions.exclusively(own(balancer), async () => {
          remove(world, 'load_balancer', balancer.id);
          await policies.enforce();
        });
        const action = actions.start(jobs.deleteLoadBalancer, [own(balancer)], {});
        return ok({ action: presentAction(action) });
      },
    },
    {
      method: 'GET',
      path: '/load_balancers/:id/metrics',
      handle() {
        throw notAvailable('metrics');
      },
    },
    ...networkRoutes(cloud),
    ...serviceRoutes(cloud),
    ...targetRoutes(cloud),
    ...changeRoutes(cloud),
  ];
}

const own = ({ id }: LoadBalancer) => ({ id, type: 'load_balancer' as const });

/** A route that plans an action's input and starts it. */
function route<Input>(
  { world, actions }: Cloud,
  command: string,
  job: Job<Input & { id: number }>,
  plan: (balancer: LoadBalancer, body: unknown) => Input,
): Route {
  return {
    method: 'POST',
    path: `/load_balancers/:id/actions/${command}`,
    handle(request) {
      const balancer = find(world, 'load_balancer', idOf(request));
      actions.requireIdle(own(balancer));
      const input = { id: balancer.id, ...plan(balancer, request.body) };
      return created({ action: presentAction(actions.start(job, [own(balancer)], input)) });
    },
  };
}

function networkRoutes(cloud: Cloud): Route[] {
  const { world, actions } = cloud;
  return [
    route(cloud, 'attach_to_network', jobs.attachBalancer, (balancer, body) => {
      const wanted = parseBody(attachSchema, body);
      const network = find(world, 'network', wanted.network);
      actions.requireIdle({ id: network.id, type: 'network' });
      if (balancer.privateNet.length > 0) {
        throw new ApiError(
          'load_balancer_already_attached',
          'load balancer is already attached to a network',
        );
      }
      const ip = chooseAddress(world, network, wanted);
      claimHardware(cloud, network);
      return { network: network.id, ip };
    }),
    route(cloud, 'detach_from_network', jobs.detachBalancer, (balancer, body) => {
      const { network } = parseBody(networkSchema, body);
      if (!balancer.privateNet.some((net) => net.network === network)) {
        throw new ApiError('not_found', `load balancer is not attached to network ${network}`);
      }
      return {};
    }),
    route(cloud, 'enable_public_interface', jobs.enablePublicInterface, () => ({})),
    route(cloud, 'disable_public_interface', jobs.disablePublicInterface, (balancer) => {
      if (balancer.targets.some(({ usePrivateIp }) => !usePrivateIp)) {
        throw new ApiError(
          'targets_without_use_private_ip',
          'load balancer has targets that use their public IP',
        );
      }
      return {};
    }),
  ];
}

function serviceRoutes(cloud: Cloud): Route[] {
  const serviceOf = (balancer: LoadBalancer, listenPort: number) => {
    const service = balancer.services.find((other) => other.listenPort === listenPort);
    if (!service) throw new ApiError('not_found', `service on port ${listenPort} not found`);
    return service;
  };
  return [
    route(cloud, 'add_service', jobs.addService, (balancer, body) => {
      const service = planService(parseBody(newServiceSchema, body), balancer);
      requireServable(cloud, service);
      requireWithinLimits({ ...balancer, services: [...balancer.services, service] });
      return { service };
    }),
    route(cloud, 'update_service', jobs.updateService, (balancer, body) => {
      const change = parseBody(changedServiceSchema, body);
      const service = changeService(serviceOf(balancer, change.listen_port), change);
      requireServable(cloud, service);
      return { service };
    }),
    route(cloud, 'delete_service', jobs.deleteService, (balancer, body) => {
      const listenPort = parseBody(portSchema, body).listen_port;
      return { listenPort: serviceOf(balancer, listenPort).listenPort };
    }),
  ];
}

function targetRoutes(cloud: Cloud): Route[] {
  return [
    route(cloud, 'add_target', jobs.addTarget, (balancer, body) => {
      const target = readTarget(cloud, parseBody(targetSchema, body));
      requireTarget(cloud, balancer, target);
      requireWithinLimits({ ...balancer, targets: [...balancer.targets, target] });
      return { target };
    }),
    route(cloud, 'remove_target', jobs.removeTarget, (balancer, body) => {
      const target = readTarget(cloud, parseBody(targetSchema, body));
      if (!balancer.targets.some((other) => isSameTarget(other, target))) {
        throw new ApiError('not_found', 'load balancer target not found');
      }
      return { target };
    }),
  ];
}

function changeRoutes(cloud: Cloud): Route[] {
  return [
    route(cloud, 'change_algorithm', jobs.changeAlgorithm, (_, body) => ({
      algorithm: parseBody(algorithmSchema, body).type,
    })),
    route(cloud, 'change_type', jobs.changeBalancerType, (balancer, body) => {
      const { name } = loadBalancerType(parseBody(typeSchema, body).load_balancer_type);
      requireWithinLimits({ ...balancer, loadBalancerType: name });
      return { loadBalancerType: name };
    }),
    route(cloud, 'change_dns_ptr', jobs.changeBalancerDnsPtr, (balancer, body) => {
      const { ip, dns_ptr: dnsPtr } = parseBody(dnsPtrSchema, body);
      if (ip !== balancer.publicIp && ip !== balancer.publicIpv6) {
        throw invalidInput('ip', `'${ip}' is not an address of the load balancer`);
      }
      return { ip, dnsPtr };
    }),
  ];
}
