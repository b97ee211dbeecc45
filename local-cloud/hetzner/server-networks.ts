import { z } from 'zod';
import { ApiError, invalidInput, parseBody } from './errors.ts';
import type { Route } from './http.ts';
import { changeDnsPtr } from './primary-ip-jobs.ts';
import {
  chooseAddress,
  claimHardware,
  requireMemberAddress,
  requireRoomFor,
} from './private-network.ts';
import type { Server } from './resources.ts';
import { dnsPtrSchema } from './reverse-dns.ts';
import { acting, own } from './server-actions.ts';
import * as jobs from './server-jobs.ts';
import type { Cloud } from './site.ts';
import { find } from './world.ts';

const attachSchema = z.object({
  network: z.int(),
  ip: z.string().optional(),
  ip_range: z.string().optional(),
  alias_ips: z.array(z.string()).default([]),
});
const aliasSchema = z.object({ network: z.int(), alias_ips: z.array(z.string()) });
const networkSchema = z.object({ network: z.int() });

/** A server's legs in private networks, and the names of its public addresses. */
export function serverNetworkRoutes(cloud: Cloud): Route[] {
  const { world, actions } = cloud;
  const legIn = (server: Server, network: number) => {
    const leg = server.privateNet.find((net) => net.network === network);
    if (!leg) throw new ApiError('not_found', `server is not attached to network ${network}`);
    return leg;
  };
  return [
    acting(cloud, 'attach_to_network', (server, body) => {
      const wanted = parseBody(attachSchema, body);
      const network = find(world, 'network', wanted.network);
      actions.requireIdle(own(server));
      actions.requireIdle({ id: network.id, type: 'network' });
      const joined = server.privateNet.map((net) => net.network);
      requireRoomFor(world, joined, network);
      for (const alias of wanted.alias_ips) requireMemberAddress(network, alias, 'alias_ips');
      const ip = chooseAddress(world, network, wanted);
      claimHardware(cloud, network);
      return actions.start(
        jobs.attachToNetwork,
        [own(server), { id: network.id, type: 'network' }],
        { id: server.id, network: network.id, ip, aliasIps: wanted.alias_ips },
      );
    }),
    acting(cloud, 'detach_from_network', (server, body) => {
      const { network } = parseBody(networkSchema, body);
      legIn(server, network);
      return actions.start(
        jobs.detachFromNetwork,
        [own(server), { id: network, type: 'network' }],
        { id: server.id, network },
      );
    }),
    acting(cloud, 'change_alias_ips', (server, body) => {
      const wanted = parseBody(aliasSchema, body);
      const network = find(world, 'network', wanted.network);
      const leg = { ...legIn(server, network.id), aliasIps: wanted.alias_ips };
      const others = server.privateNet.filter((net) => net.network !== network.id);
      for (const alias of wanted.alias_ips) requireMemberAddress(network, alias, 'alias_ips');
      return actions.start(
        jobs.changeServer.change_alias_ips,
        [own(server), { id: network.id, type: 'network' }],
        { id: server.id, change: { privateNet: [...others, leg] } },
      );
    }),
    acting(cloud, 'change_dns_ptr', (server, body) => {
      const wanted = parseBody(dnsPtrSchema, body);
      const ip = world.records.primary_ip.find(
        (record) =>
          record.assignee === server.id &&
          (record.ip === wanted.ip || (record.type === 'ipv6' && wanted.ip.includes(':'))),
      );
      if (!ip) throw invalidInput('ip', `'${wanted.ip}' is not an address of the server`);
      return actions.start(changeDnsPtr, [{ id: ip.id, type: 'primary_ip' }, own(server)], {
        id: ip.id,
        ip: wanted.ip,
        dnsPtr: wanted.dns_ptr,
      });
    }),
  ];
}
