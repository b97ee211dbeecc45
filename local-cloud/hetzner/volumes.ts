import { z } from 'zod';
import { presentAction } from './actions.ts';
import { location } from './catalogue.ts';
import { collectionRoutes } from './collection.ts';
import { ApiError, invalidInput, notAvailable, parseBody } from './errors.ts';
import { created, idOf, noContent, type Route } from './http.ts';
import { labelsSchema } from './labels.ts';
import { requireUnprotected } from './protection.ts';
import type { Volume } from './resources.ts';
import type { Cloud } from './site.ts';
import { attachVolume, createVolume, detachVolume, resizeVolume } from './volume-jobs.ts';
import { find, newId, remove, requireUniqueName } from './world.ts';

/** Smallest and largest volume, in GB. */
const SIZE = { min: 10, max: 10_240 };

const createSchema = z.object({
  name: z.string().min(1).max(64),
  size: z.int().min(SIZE.min).max(SIZE.max),
  format: z.enum(['ext4', 'xfs']).optional(),
  location: z.union([z.string(), z.int()]).optional(),
  server: z.int().optional(),
  automount: z.boolean().default(false),
  labels: labelsSchema.default({}),
});
const attachSchema = z.object({ server: z.int(), automount: z.boolean().default(false) });
const resizeSchema = z.object({ size: z.int().max(SIZE.max) });

export function volumeRoutes(cloud: Cloud): Route[] {
  const { world, actions } = cloud;
  const volumeOf = (request: Parameters<typeof idOf>[0]) => find(world, 'volume', idOf(request));
  return [
    ...collectionRoutes(cloud, {
      kind: 'volume',
      present,
      filters: { status: ({ status }) => status },
    }),
    {
      method: 'POST',
      path: '/volumes',
      handle: ({ body }) => create(cloud, body),
    },
    {
      method: 'DELETE',
      path: '/volumes/:id',
      async handle(request) {
        const volume = volumeOf(request);
        requireUnprotected(volume.deleteProtection, 'volume');
        if (volume.server !== null) {
          throw new ApiError('resource_in_use', 'volume is attached to a server, detach it first');
        }
        await actions.exclusively({ id: volume.id, type: 'volume' }, async () => {
          await cloud.machinery.deleteVolume(volume.id);
          remove(world, 'volume', volume.id);
        });
        return noContent();
      },
    },
    {
      method: 'POST',
      path: '/volumes/:id/actions/attach',
      handle(request) {
        const volume = volumeOf(request);
        const wanted = parseBody(attachSchema, request.body);
        refuseAutomount(wanted.automount);
        requireAttachable(cloud, volume, wanted.server);
        const action = actions.start(attachVolume, references(volume.id, wanted.server), {
          id: volume.id,
          server: wanted.server,
        });
        return created({ action: presentAction(action) });
      },
    },
    {
      method: 'POST',
      path: '/volumes/:id/actions/detach',
      handle(request) {
        const volume = volumeOf(request);
        if (volume.server === null) {
          throw new ApiError('service_error', 'volume is not attached to a server');
        }
        const action = actions.start(detachVolume, references(volume.id, volume.server), {
          id: volume.id,
        });
        return created({ action: presentAction(action) });
      },
    },
    {
      method: 'POST',
      path: '/volumes/:id/actions/resize',
      handle(request) {
        const volume = volumeOf(request);
        const { size } = parseBody(resizeSchema, request.body);
        if (size <= volume.sizeGb) {
          throw invalidInput('size', `a volume only grows; it has ${volume.sizeGb} GB`);
        }
        const action = actions.start(resizeVolume, [{ id: volume.id, type: 'volume' }], {
          id: volume.id,
          sizeGb: size,
        });
        return created({ action: presentAction(action) });
      },
    },
  ];
}

/**
 * What forbids an attachment, if anything.
 * @throws ApiError `volume_already_attached`, `invalid_input` for another location
 */
export function requireAttachable({ world }: Cloud, volume: Volume, serverId: number): void {
  const server = find(world, 'server', serverId);
  if (volume.server !== null) {
    throw new ApiError('volume_already_attached', 'volume is already attached, detach it first');
  }
  if (volume.location !== server.location) {
    throw invalidInput('server', `the server is in ${server.location}, not ${volume.location}`);
  }
}

export function refuseAutomount(automount: boolean): void {
  if (automount) throw notAvailable('automount (mount the volume by its /dev/disk/by-id path)');
}

function create(cloud: Cloud, body: unknown) {
  const { world, actions } = cloud;
  const wanted = parseBody(createSchema, body);
  refuseAutomount(wanted.automount);
  requireUniqueName(world, 'volume', wanted.name);
  const server = wanted.server === undefined ? null : find(world, 'server', wanted.server);
  if (server) actions.requireIdle({ id: server.id, type: 'server' });
  if (!server && wanted.location === undefined) {
    throw invalidInput('location', 'either a location or a server is needed');
  }
  const volume: Volume = {
    id: newId(world),
    name: wanted.name,
    labels: wanted.labels,
    created: new Date().toISOString(),
    status: 'creating',
    sizeGb: wanted.size,
    format: wanted.format ?? null,
    location: server?.location ?? location(wanted.location ?? '').name,
    server: null,
    deleteProtection: false,
  };
  world.records.volume.push(volume);
  const creation = actions.start(createVolume, [{ id: volume.id, type: 'volume' }], {
    id: volume.id,
  });
  const next = server
    ? [
        actions.start(
          attachVolume,
          references(volume.id, server.id),
          { id: volume.id, server: server.id },
          [creation],
        ),
      ]
    : [];
  return created({
    volume: present(volume),
    action: presentAction(creation),
    next_actions: next.map(presentAction),
  });
}

function references(volume: number, server: number) {
  return [
    { id: volume, type: 'volume' as const },
    { id: server, type: 'server' as const },
  ];
}

function present(volume: Volume) {
  const { id, name, labels, created, status, format, server } = volume;
  return {
    id,
    name,
    labels,
    created,
    status,
    format,
    server,
    size: volume.sizeGb,
    location: location(volume.location),
    linux_device: `/dev/disk/by-id/scsi-0HC_Volume_${id}`,
    protection: { delete: volume.deleteProtection },
  };
}
