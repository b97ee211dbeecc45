import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { requireAbility } from './abilities.ts';
import { presentAction } from './actions.ts';
import { iso } from './catalogue.ts';
import { ApiError, parseBody } from './errors.ts';
import type { Route } from './http.ts';
import { createImage, imageOf, planImage } from './images.ts';
import type { Server } from './resources.ts';
import { commandRoute, own } from './server-actions.ts';
import { changeServer } from './server-jobs.ts';
import type { Cloud } from './site.ts';
import { find } from './world.ts';

const rescueSchema = z.object({
  type: z.literal('linux64').default('linux64'),
  ssh_keys: z.array(z.int()).default([]),
});
const isoSchema = z.object({ iso: z.union([z.string(), z.int()]) });

/** What a server is kept as, and what else than its disk it boots from. */
export function mediaRoutes(cloud: Cloud): Route[] {
  const { world, actions, abilities } = cloud;
  const boot = (
    command: keyof typeof changeServer,
    plan: (server: Server, body: unknown) => Partial<Server>,
    more: () => object = () => ({}),
  ) =>
    commandRoute(cloud, command, (server, body) => {
      requireAbility(abilities.otherSystems, 'another system than that of the disk');
      const action = actions.start(changeServer[command], [own(server)], {
        id: server.id,
        change: plan(server, body),
      });
      return { action: presentAction(action), ...more() };
    });

  return [
    commandRoute(cloud, 'create_image', (server, body) => {
      requireAbility(abilities.diskImages, 'a snapshot or backup');
      actions.requireIdle(own(server));
      const image = planImage(world, server, body);
      const action = actions.start(createImage, [own(server), { id: image.id, type: 'image' }], {
        image: image.id,
      });
      return { image: imageOf(world, image.id), action: presentAction(action) };
    }),
    boot(
      'enable_rescue',
      (server, body) => {
        const { ssh_keys } = parseBody(rescueSchema, body);
        for (const key of ssh_keys) find(world, 'ssh_key', key);
        if (server.rescueEnabled) {
          throw new ApiError('conflict', 'the rescue system is already enabled');
        }
        return { rescueEnabled: true };
      },
      () => ({ root_password: randomBytes(12).toString('base64url') }),
    ),
    boot('disable_rescue', () => ({ rescueEnabled: false })),
    boot('attach_iso', (_, body) => ({ iso: iso(parseBody(isoSchema, body).iso).id })),
    boot('detach_iso', () => ({ iso: null })),
  ];
}
