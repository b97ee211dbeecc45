import { z } from 'zod';
import { type Job, presentAction } from './actions.ts';
import { image, location, requireOrderable, serverType } from './catalogue.ts';
import { collectionRoutes } from './collection.ts';
import { ApiError, invalidInput, notAvailable, parseBody } from './errors.ts';
import { created, idOf, ok, type Route } from './http.ts';
import { requirePlace } from './placement-groups.ts';
import { changeDnsPtr } from './primary-ip-jobs.ts';
import { requireStopped } from './primary-ips.ts';
import { chooseAddress, claimHardware, requireMemberAddress } from './private-network.ts';
import { requireUnprotected } from './protection.ts';
import type { Server } from './resources.ts';
import { createServerFrom, hostname } from './server-creation.ts';
import * as jobs from './server-jobs.ts';
import { presentServer } from './server-presentation.ts';
import type { Cloud } from './site.ts';
import { type ActionRecord, find } from './world.ts';

const updateSchema = z.object({ name: hostname.optional() });
const attachSchema = z.object({
  network: z.int(),
  ip: z.string().optional(),
  ip_range: z.string().optional(),
  alias_ips: z.array(z.string()).default([]),
});
const aliasSchema = z.object({ network: z.int(), alias_ips: z.array(z.string()) });
const networkSchema = z.object({ network: z.int() });
const protectionSchema = z.object({
  delete: z.boolean().optional(),
  rebuild: z.boolean().optional(),
});
const typeSchema = z.object({
  server_type: z.union([z.string(), z.int()]),
  upgrade_disk: z.boolean(),
});
const rebuildSchema = z.object({
  image: z.union([z.string(), z.int()]),
  user_data: z.string().max(32_768).optional(),
});
const groupSchema = z.object({ placement_group: z.int() });
const dnsPtrSchema = z.object({ ip: z.string(), dns_ptr: z.string().nullable() });

/** Hetzner's commands that need hardware the local cloud does not have. */
const NOT_AVAILABLE = {
  create_image: 'a snapshot or backup',
  enable_rescue: 'the rescue system',
  disable_rescue: 'the rescue system',
  attach_iso: 'an ISO image',
  detach_iso: 'an ISO image',
  reset_password: 'a root password',
  request_console: 'the VNC console',
};

export function serverRoutes(cloud: Cloud): Route[] {
  const { world, actions } = cloud;
  return [
    ...collectionRoutes(cloud, {
      kind: 'server',
      present: (server) => presentServer(cloud, server),
      filters: { status: ({ status }) => status },
      planUpdate(_, body) {
        parseBody(updateSchema, body);
        // Labels decide which firewalls and load balancers concern a server.
        return () => cloud.policies.enforce();
      },
    }),
    { method: 'POST', path: '/servers', handle: ({ body }) => createServerFrom(cloud, body) },
    {
      method: 'DELETE',
      path: '/servers/:id',
      handle(request) {
        const server = find(world, 'server', idOf(request));
        requireUnprotected(server.protection.delete, 'server');
        const action = actions.start(jobs.deleteServer, [own(server)], { id: server.id });
        return ok({ action: presentAction(action) });
      },
    },
    {
      method: 'GET',
      path: '/servers/:id/metrics',
      handle() {
        throw notAvailable('metrics');
      },
    },
    ...powerRoutes(cloud),
    ...networkingRoutes(cloud),
    ...changeRoutes(cloud),
    ...Object.entries(NOT_AVAILABLE).map(([command, what]) =>
      route(cloud, command, () => {
        throw notAvailable(what);
      }),
    ),
  ];
}

const own = ({ id }: Server) => ({ id, type: 'server' as const });

function route(
  { world }: Cloud,
  command: string,
  start: (server: Server, body: unknown) => ActionRecord,
): Route {
  return {
    method: 'POST',
    path: `/servers/:id/actions/${command}`,
    handle(request) {
      const action = start(find(world, 'server', idOf(request)), request.body);
      return created({ action: presentAction(action), root_password: null });
    },
  };
}

function powerRoutes(cloud: Cloud): Route[] {
  const simple = (command: string, job: Job<{ id: number }>) =>
    route(cloud, command, (server) => cloud.actions.start(job, [own(server)], { id: server.id }));
  return [
    simple('poweron', jobs.startServer),
    simple('poweroff', jobs.stopServer),
    simple('shutdown', jobs.shutdownServer),
    simple('reboot', jobs.rebootServer),
    simple('reset', jobs.resetServer),
    route(cloud, 'rebuild', (server, body) => {
      const wanted = parseBody(rebuildSchema, body);
      if (server.protection.rebuild) {
        throw new ApiError('protected', 'server rebuild is protected');
      }
      image(wanted.image);
      return cloud.actions.start(jobs.rebuildServer, [own(server)], {
        id: server.id,
        userData: wanted.user_data ?? server.userData,
      });
    }),
  ];
}

function networkingRoutes(cloud: Cloud): Route[] {
  const { world, actions } = cloud;
  const legIn = (server: Server, network: number) => {
    const leg = server.privateNet.find((net) => net.network === network);
    if (!leg) throw new ApiError('not_found', `server is not attached to network ${network}`);
    return leg;
  };
  return [
    route(cloud, 'attach_to_network', (server, body) => {
      const wanted = parseBody(attachSchema, body);
      const network = find(world, 'network', wanted.network);
      actions.requireIdle(own(server));
      actions.requireIdle({ id: network.id, type: 'network' });
      if (server.privateNet.some((net) => net.network === network.id)) {
        throw new ApiError('server_already_attached', 'server is already attached to the network');
      }
      for (const alias of wanted.alias_ips) requireMemberAddress(network, alias, 'alias_ips');
      const ip = chooseAddress(world, network, wanted);
      claimHardware(world, network);
      return actions.start(
        jobs.attachToNetwork,
        [own(server), { id: network.id, type: 'network' }],
        { id: server.id, network: network.id, ip, aliasIps: wanted.alias_ips },
      );
    }),
    route(cloud, 'detach_from_network', (server, body) => {
      const { network } = parseBody(networkSchema, body);
      legIn(server, network);
      return actions.start(
        jobs.detachFromNetwork,
        [own(server), { id: network, type: 'network' }],
        { id: server.id, network },
      );
    }),
    route(cloud, 'change_alias_ips', (server, body) => {
      const wanted = parseBody(aliasSchema, body);
      const network = find(world, 'network', wanted.network);
      const leg = { ...legIn(server, network.id), aliasIps: wanted.alias_ips };
      for (const alias of wanted.alias_ips) requireMemberAddress(network, alias, 'alias_ips');
      return actions.start(
        jobs.changeServer.change_alias_ips,
        [own(server), { id: network.id, type: 'network' }],
        { id: server.id, change: { privateNet: [leg] } },
      );
    }),
    route(cloud, 'change_dns_ptr', (server, body) => {
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

function changeRoutes(cloud: Cloud): Route[] {
  const change = (
    path: string,
    plan: (server: Server, body: unknown) => Partial<Server>,
    command = path as keyof typeof jobs.changeServer,
  ) =>
    route(cloud, path, (server, body) =>
      cloud.actions.start(jobs.changeServer[command], [own(server)], {
        id: server.id,
        change: plan(server, body),
      }),
    );
  return [
    change('change_protection', (server, body) => {
      const wanted = parseBody(protectionSchema, body);
      const protection = {
        delete: wanted.delete ?? server.protection.delete,
        rebuild: wanted.rebuild ?? server.protection.rebuild,
      };
      if (protection.delete !== protection.rebuild) {
        throw invalidInput('rebuild', 'delete and rebuild protection must be equal');
      }
      return { protection };
    }),
    // The window is booked and billed; the local cloud takes no backups.
    change('enable_backup', () => ({ backupWindow: '22-02' })),
    change('disable_backup', () => ({ backupWindow: null })),
    change('add_to_placement_group', (server, body) => {
      const group = find(
        cloud.world,
        'placement_group',
        parseBody(groupSchema, body).placement_group,
      );
      requireStopped(server);
      requirePlace(cloud.world, group);
      return { placementGroup: group.id };
    }),
    change('remove_from_placement_group', () => ({ placementGroup: null })),
    change('change_type', (server, body) => planType(cloud, server, body), 'change_server_type'),
  ];
}

function planType(cloud: Cloud, server: Server, body: unknown): Partial<Server> {
  const wanted = parseBody(typeSchema, body);
  const type = serverType(wanted.server_type);
  requireStopped(server);
  requireOrderable(type, location(server.location));
  cloud.faults.requireRoom(type.name, server.location);
  const { architecture } = serverType(server.serverType);
  if (type.disk < server.primaryDiskSize || type.architecture !== architecture) {
    throw new ApiError('invalid_server_type', `${type.name} does not fit server ${server.name}`);
  }
  return {
    serverType: type.name,
    primaryDiskSize: wanted.upgrade_disk ? type.disk : server.primaryDiskSize,
  };
}
