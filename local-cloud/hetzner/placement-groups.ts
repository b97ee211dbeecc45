import { z } from 'zod';
import { collectionRoutes } from './collection.ts';
import { ApiError, parseBody } from './errors.ts';
import { created, idOf, noContent, type Route } from './http.ts';
import { labelsSchema } from './labels.ts';
import type { PlacementGroup } from './resources.ts';
import type { Cloud } from './site.ts';
import { find, newId, remove, requireUniqueName, type World } from './world.ts';

/** A spread group puts each server on another host; Hetzner finds at most ten. */
const LARGEST_GROUP = 10;

const createSchema = z.object({
  name: z.string().min(1).max(64),
  type: z.literal('spread'),
  labels: labelsSchema.default({}),
});

export function placementGroupRoutes(cloud: Cloud): Route[] {
  const { world } = cloud;
  const present = (group: PlacementGroup) => presentPlacementGroup(world, group);
  return [
    ...collectionRoutes(cloud, {
      kind: 'placement_group',
      present,
      filters: { type: () => 'spread' },
    }),
    {
      method: 'POST',
      path: '/placement_groups',
      handle({ body }) {
        const { name, labels } = parseBody(createSchema, body);
        requireUniqueName(world, 'placement_group', name);
        const group = { id: newId(world), name, labels, created: new Date().toISOString() };
        world.records.placement_group.push(group);
        return created({ placement_group: present(group), action: null });
      },
    },
    {
      method: 'DELETE',
      path: '/placement_groups/:id',
      handle(request) {
        const group = find(world, 'placement_group', idOf(request));
        if (members(world, group.id).length > 0) {
          throw new ApiError('resource_in_use', 'placement group still has servers');
        }
        remove(world, 'placement_group', group.id);
        return noContent();
      },
    },
  ];
}

export function presentPlacementGroup(world: World, group: PlacementGroup) {
  const { id, name, labels, created } = group;
  return { id, name, labels, created, type: 'spread', servers: members(world, id) };
}

/** @throws ApiError `placement_error` when the group is full */
export function requirePlace(world: World, group: PlacementGroup): void {
  if (members(world, group.id).length >= LARGEST_GROUP) {
    throw new ApiError(
      'placement_error',
      `placement group ${group.name} already spreads ${LARGEST_GROUP} servers`,
    );
  }
}

function members(world: World, group: number): number[] {
  return world.records.server.filter((s) => s.placementGroup === group).map(({ id }) => id);
}
