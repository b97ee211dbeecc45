import { loadBalancerType, location } from './catalogue.ts';
import { presentService } from './load-balancer-services.ts';
import { presentTarget } from './load-balancer-targets.ts';
import type { LoadBalancer } from './resources.ts';
import type { Cloud } from './site.ts';

/** A load balancer as clients see it, with its targets' health now. */
export async function presentLoadBalancer(cloud: Cloud, balancer: LoadBalancer) {
  const hasTargets = balancer.targets.length > 0 && balancer.services.length > 0;
  // Health is a view of the moment: when the balancer cannot be asked, it is unknown.
  const health = hasTargets
    ? await cloud.machinery.targetHealth(balancer.id).catch(() => ({}))
    : {};
  return presentWith(cloud, balancer, health);
}

export function presentWith(
  cloud: Cloud,
  balancer: LoadBalancer,
  health: Parameters<typeof presentTarget>[3],
) {
  const { id, name, labels, created } = balancer;
  const type = loadBalancerType(balancer.loadBalancerType);
  return {
    id,
    name,
    labels,
    created,
    load_balancer_type: type,
    location: location(balancer.location),
    public_net: {
      enabled: balancer.publicInterface,
      ipv4: addressOf(balancer, balancer.publicIp),
      ipv6: addressOf(balancer, balancer.publicIpv6),
    },
    private_net: balancer.privateNet,
    algorithm: { type: balancer.algorithm },
    services: balancer.services.map(presentService),
    targets: balancer.targets.map((target) => presentTarget(cloud, balancer, target, health)),
    protection: { delete: balancer.deleteProtection },
    included_traffic: type.prices[0]?.included_traffic ?? 0,
    ingoing_traffic: 0,
    outgoing_traffic: 0,
  };
}

/** An address with its name, if it was given one. */
function addressOf({ dnsPtr }: LoadBalancer, ip: string) {
  const own = dnsPtr.find((entry) => entry.ip === ip)?.dnsPtr;
  return { ip, dns_ptr: own ?? null };
}
