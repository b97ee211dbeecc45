import { z } from 'zod';
import { type Job, presentAction } from './actions.ts';
import { location, requireOrderable, serverType } from './catalogue.ts';
import { collectionRoutes } from './collection.ts';
import { ApiError, invalidInput, notAvailable, parseBody } from './errors.ts';
import { idOf, ok, type Route } from './http.ts';
import { chooseImage } from './images.ts';
import { requirePlace } from './placement-groups.ts';
import { requireStopped } from './primary-ips.ts';
import { requireUnprotected } from './protection.ts';
import type { Server } from './resources.ts';
import { acting, own } from './server-actions.ts';
import { createServerFrom, hostname } from './server-creation.ts';
import * as jobs from './server-jobs.ts';
import { mediaRoutes } from './server-media.ts';
import { serverNetworkRoutes } from './server-networks.ts';
import { presentServer } from './server-presentation.ts';
import type { Cloud } from './site.ts';
import { find } from './world.ts';

const updateSchema = z.object({ name: hostname.optional() });
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

/** Hetzner's commands that need hardware the local cloud does not have. */
const NOT_AVAILABLE = {
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
    ...serverNetworkRoutes(cloud),
    ...changeRoutes(cloud),
    ...mediaRoutes(cloud),
    ...Object.entries(NOT_AVAILABLE).map(([command, what]) =>
      acting(cloud, command, () => {
        throw notAvailable(what);
      }),
    ),
  ];
}

function powerRoutes(cloud: Cloud): Route[] {
  const simple = (command: string, job: Job<{ id: number }>) =>
    acting(cloud, command, (server) => cloud.actions.start(job, [own(server)], { id: server.id }));
  return [
    simple('poweron', jobs.startServer),
    simple('poweroff', jobs.stopServer),
    simple('shutdown', jobs.shutdownServer),
    simple('reboot', jobs.rebootServer),
    simple('reset', jobs.resetServer),
    acting(cloud, 'rebuild', (server, body) => {
      const wanted = parseBody(rebuildSchema, body);
      if (server.protection.rebuild) {
        throw new ApiError('protected', 'server rebuild is protected');
      }
      const disk = chooseImage(cloud.world, wanted.image);
      return cloud.actions.start(jobs.rebuildServer, [own(server)], {
        id: server.id,
        image: disk.id,
        userData: wanted.user_data ?? server.userData,
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
    acting(cloud, path, (server, body) =>
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
