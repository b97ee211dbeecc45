import { iso, location, serverType } from './catalogue.ts';
import { imageOf } from './images.ts';
import { presentPlacementGroup } from './placement-groups.ts';
import { firewallsOf, targetServers } from './policies.ts';
import type { PrimaryIp, Server } from './resources.ts';
import { presentNames } from './reverse-dns.ts';
import type { Cloud } from './site.ts';

/** A server as clients see it. */
export function presentServer(cloud: Cloud, server: Server) {
  const { world, actions } = cloud;
  const { id, name, labels, created, status } = server;
  const group = world.records.placement_group.find((g) => g.id === server.placementGroup);
  return {
    id,
    name,
    labels,
    created,
    status,
    server_type: serverType(server.serverType),
    image: imageOf(world, server.image),
    location: location(server.location),
    public_net: publicNet(cloud, server),
    private_net: server.privateNet.map((net) => ({
      network: net.network,
      ip: net.ip,
      alias_ips: net.aliasIps,
      mac_address: net.macAddress,
    })),
    volumes: world.records.volume.filter((volume) => volume.server === id).map((v) => v.id),
    load_balancers: world.records.load_balancer
      .filter((lb) => lb.targets.some((t) => targetServers(world, t).includes(server)))
      .map((lb) => lb.id),
    placement_group: group ? presentPlacementGroup(world, group) : null,
    locked: actions.isBusy({ id, type: 'server' }),
    protection: server.protection,
    backup_window: server.backupWindow,
    primary_disk_size: server.primaryDiskSize,
    rescue_enabled: server.rescueEnabled,
    iso: server.iso === null ? null : iso(server.iso),
    included_traffic: serverType(server.serverType).prices[0]?.included_traffic ?? 0,
    ingoing_traffic: 0,
    outgoing_traffic: 0,
  };
}

function publicNet({ world }: Cloud, server: Server) {
  const own = (type: PrimaryIp['type']) =>
    world.records.primary_ip.find((ip) => ip.assignee === server.id && ip.type === type);
  const ipv4 = own('ipv4');
  const ipv6 = own('ipv6');
  return {
    ipv4: ipv4
      ? { id: ipv4.id, ip: ipv4.ip, blocked: false, dns_ptr: ipv4.dnsPtr[0]?.dnsPtr ?? '' }
      : null,
    ipv6: ipv6
      ? {
          id: ipv6.id,
          ip: ipv6.ip,
          blocked: false,
          dns_ptr: presentNames(ipv6.dnsPtr),
        }
      : null,
    floating_ips: world.records.floating_ip
      .filter((ip) => ip.server === server.id)
      .map(({ id }) => id),
    firewalls: firewallsOf(world, server).map(({ id }) => ({
      id,
      status: server.status === 'initializing' ? 'pending' : 'applied',
    })),
  };
}
