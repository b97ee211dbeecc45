import { z } from 'zod';
import type { Job } from './actions.ts';
import { images, serverType } from './catalogue.ts';
import { actionRoutes } from './collection.ts';
import { ApiError, invalidInput, parseBody } from './errors.ts';
import { idOf, noContent, ok, type Route } from './http.ts';
import { labelsSchema, parseSelector } from './labels.ts';
import { paginate, sorted } from './pagination.ts';
import { requireUnprotected } from './protection.ts';
import type { DiskImage, Server } from './resources.ts';
import type { Cloud } from './site.ts';
import { find, newId, remove, type World } from './world.ts';

export const createImageSchema = z.object({
  description: z.string().default(''),
  type: z.enum(['snapshot', 'backup']).default('snapshot'),
  labels: labelsSchema.default({}),
});
const updateSchema = z.object({
  description: z.string().optional(),
  type: z.literal('snapshot').optional(),
  labels: labelsSchema.optional(),
});

/** Turns the booked image into one that servers can be made of. */
export const createImage: Job<{ image: number }> = {
  name: 'server.create_image',
  locks: ['server'],
  async perform({ world }, { image }) {
    find(world, 'image', image).status = 'available';
  },
};

/** Hetzner's own images, and the snapshots and backups of this project. */
export function imageRoutes(cloud: Cloud): Route[] {
  const { world } = cloud;
  return [
    {
      method: 'GET',
      path: '/images',
      handle({ query }) {
        const found = all(world).filter((image) => isWanted(image, query));
        const { page, meta } = paginate(sorted(found, query, ORDER), query);
        return ok({ images: page, meta: { pagination: meta } });
      },
    },
    {
      method: 'GET',
      path: '/images/:id',
      handle: (request) => ok({ image: requireImage(world, idOf(request)) }),
    },
    {
      method: 'PUT',
      path: '/images/:id',
      handle(request) {
        const image = find(world, 'image', idOf(request));
        const change = parseBody(updateSchema, request.body);
        image.description = change.description ?? image.description;
        image.type = change.type ?? image.type;
        image.labels = change.labels ?? image.labels;
        return ok({ image: present(image) });
      },
    },
    {
      method: 'DELETE',
      path: '/images/:id',
      handle(request) {
        const image = find(world, 'image', idOf(request));
        requireUnprotected(image.deleteProtection, 'image');
        remove(world, 'image', image.id);
        return noContent();
      },
    },
    ...actionRoutes(cloud, 'image', 'images'),
  ];
}

/** Books the image of a server's disk. @throws ApiError `invalid_input` */
export function planImage(world: World, server: Server, body: unknown): DiskImage {
  const wanted = parseBody(createImageSchema, body);
  if (wanted.type === 'backup' && server.backupWindow === null) {
    throw invalidInput('type', `backups of server ${server.name} are not enabled`);
  }
  const image: DiskImage = {
    id: newId(world),
    name: '',
    labels: wanted.labels,
    created: new Date().toISOString(),
    description: wanted.description,
    type: wanted.type,
    status: 'creating',
    server: { id: server.id, name: server.name },
    system: baseOf(world, server.image),
    architecture: serverType(server.serverType).architecture,
    diskSize: server.primaryDiskSize,
    deleteProtection: false,
  };
  world.records.image.push(image);
  return image;
}

/** The image by its ID or name, as a server's creation names it. @throws ApiError `invalid_input` */
export function chooseImage(world: World, idOrName: string | number): Shown {
  const found = all(world).find(
    ({ id, name }) => name === idOrName || String(id) === String(idOrName),
  );
  if (!found) throw invalidInput('image', `image '${idOrName}' does not exist`);
  if (found.status !== 'available') throw invalidInput('image', `image ${found.id} is not ready`);
  return found;
}

/** What clients see of a server's image; null when it was deleted since. */
export function imageOf(world: World, id: number): Shown | null {
  return all(world).find((image) => image.id === id) ?? null;
}

const ORDER: Record<string, (image: Shown) => string | number> = {
  id: ({ id }) => id,
  name: ({ name }) => name ?? '',
  created: ({ created }) => created,
};

type Shown = ReturnType<typeof all>[number];

function all(world: World) {
  return [...images, ...world.records.image.map(present)];
}

function requireImage(world: World, id: number): Shown {
  const found = imageOf(world, id);
  if (!found) throw new ApiError('not_found', 'image not found');
  return found;
}

/** The system that an image goes back to. */
function baseOf(world: World, id: number): number {
  return world.records.image.find((image) => image.id === id)?.system ?? id;
}

function isWanted(image: Shown, query: URLSearchParams): boolean {
  const bound = query.getAll('bound_to');
  const selector = query.get('label_selector');
  const fields = ['name', 'type', 'status', 'architecture'] as const;
  return (
    fields.every((field) => {
      const wanted = query.getAll(field);
      return wanted.length === 0 || wanted.includes(image[field] ?? '');
    }) &&
    (bound.length === 0 || bound.includes(String(image.bound_to))) &&
    (!selector || parseSelector(selector)(image.labels))
  );
}

function present(image: DiskImage) {
  const { id, labels, created, description, type, status, server, architecture } = image;
  const system = images.find((other) => other.id === image.system);
  return {
    id,
    name: null,
    labels,
    created,
    description,
    type,
    status,
    architecture,
    os_flavor: system?.os_flavor ?? 'unknown',
    os_version: system?.os_version ?? null,
    disk_size: image.diskSize,
    image_size: status === 'available' ? (system?.disk_size ?? 0) : null,
    created_from: server,
    bound_to: type === 'backup' ? server.id : null,
    rapid_deploy: false,
    protection: { delete: image.deleteProtection },
    deprecated: null,
    deleted: null,
  };
}
