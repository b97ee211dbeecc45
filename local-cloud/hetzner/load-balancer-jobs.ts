import type { Job } from './actions.ts';
import { isSameTarget } from './load-balancer-targets.ts';
import { realizeNetwork } from './private-network.ts';
import type { Kind, LoadBalancer, Service, Target } from './resources.ts';
import { withName } from './reverse-dns.ts';
import { find } from './world.ts';

type Change<Input> = Job<Input & { id: number }>;

/**
 * Every change of a balancer is one of its record, followed by the whole policy. When
 * the machinery refuses, the record says again what it said before.
 */
function changing<Input>(
  command: string,
  change: (balancer: LoadBalancer, input: Input) => Partial<LoadBalancer>,
): Change<Input> {
  const kind: Kind = 'load_balancer';
  return {
    name: `${kind}.${command}`,
    locks: [kind],
    async perform({ world, policies }, input) {
      const balancer = find(world, kind, input.id);
      const before = { ...balancer };
      Object.assign(balancer, change(balancer, input));
      try {
        await policies.enforce();
      } catch (error) {
        Object.assign(balancer, before);
        throw error;
      }
    },
  };
}

export const createLoadBalancer: Job<{ id: number; network: number | null }> = {
  name: 'load_balancer.create_load_balancer',
  locks: ['load_balancer'],
  async perform(site, { network }) {
    if (network !== null) await realizeNetwork(site, network);
    await site.policies.enforce();
  },
};

/** What clients wait for after a deletion: the record is gone when they are answered. */
export const deleteLoadBalancer: Job<object> = {
  name: 'load_balancer.delete_load_balancer',
  locks: [],
  perform: ({ policies }) => policies.enforce(),
};

export const attachBalancer: Job<{ id: number; network: number; ip: string }> = {
  name: 'load_balancer.attach_to_network',
  locks: ['load_balancer'],
  async perform(site, { id, network, ip }) {
    await realizeNetwork(site, network);
    find(site.world, 'load_balancer', id).privateNet = [{ network, ip }];
    await site.policies.enforce();
  },
};

export const detachBalancer = changing('detach_from_network', () => ({ privateNet: [] }));

export const addService = changing<{ service: Service }>('add_service', (balancer, input) => ({
  services: [...withoutPort(balancer.services, input.service.listenPort), input.service],
}));

export const updateService = changing<{ service: Service }>(
  'update_service',
  (balancer, { service }) => ({
    services: balancer.services.map((other) =>
      other.listenPort === service.listenPort ? service : other,
    ),
  }),
);

export const deleteService = changing<{ listenPort: number }>(
  'delete_service',
  (balancer, { listenPort }) => ({ services: withoutPort(balancer.services, listenPort) }),
);

export const addTarget = changing<{ target: Target }>('add_target', (balancer, { target }) => ({
  targets: [...withoutTarget(balancer.targets, target), target],
}));

export const removeTarget = changing<{ target: Target }>(
  'remove_target',
  (balancer, { target }) => ({ targets: withoutTarget(balancer.targets, target) }),
);

export const changeAlgorithm = changing<Pick<LoadBalancer, 'algorithm'>>(
  'change_algorithm',
  (_, { algorithm }) => ({ algorithm }),
);

export const changeBalancerType = changing<Pick<LoadBalancer, 'loadBalancerType'>>(
  'change_load_balancer_type',
  (_, { loadBalancerType }) => ({ loadBalancerType }),
);

export const enablePublicInterface = changing('enable_public_interface', () => ({
  publicInterface: true,
}));

export const disablePublicInterface = changing('disable_public_interface', () => ({
  publicInterface: false,
}));

export const changeBalancerDnsPtr = changing<{ ip: string; dnsPtr: string | null }>(
  'change_dns_ptr',
  (balancer, { ip, dnsPtr }) => ({ dnsPtr: withName(balancer.dnsPtr, ip, dnsPtr) }),
);

export const loadBalancerJobs = [
  changeBalancerDnsPtr,
  createLoadBalancer,
  deleteLoadBalancer,
  attachBalancer,
  detachBalancer,
  addService,
  updateService,
  deleteService,
  addTarget,
  removeTarget,
  changeAlgorithm,
  changeBalancerType,
  enablePublicInterface,
  disablePublicInterface,
];

function withoutPort(services: Service[], listenPort: number): Service[] {
  return services.filter((service) => service.listenPort !== listenPort);
}

function withoutTarget(targets: Target[], target: Target): Target[] {
  return targets.filter((other) => !isSameTarget(other, target));
}
