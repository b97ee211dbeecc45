import { z } from 'zod';
import { type Job, presentAction } from './actions.ts';
import { ApiError, parseBody } from './errors.ts';
import { created, idOf, type Route } from './http.ts';
import type { Cloud } from './site.ts';
import { find } from './world.ts';

const KINDS = ['network', 'volume', 'load_balancer', 'primary_ip', 'floating_ip', 'image'] as const;
type Protected = (typeof KINDS)[number];

const bodySchema = z.object({ delete: z.boolean().optional() });

/** `change_protection` of the kinds that can be protected from deletion only. */
export const protectionJobs = KINDS.map(
  (kind): Job<{ id: number; delete: boolean }> => ({
    name: `${kind}.change_protection`,
    locks: [kind],
    async perform({ world }, input) {
      find(world, kind, input.id).deleteProtection = input.delete;
    },
  }),
);

export function protectionRoutes(cloud: Cloud): Route[] {
  return KINDS.map((kind, index) => ({
    method: 'POST',
    path: `/${kind}s/:id/actions/change_protection`,
    handle(request) {
      const record = find(cloud.world, kind, idOf(request));
      const wanted = parseBody(bodySchema, request.body);
      const job = protectionJobs[index];
      if (!job) throw new Error(`no protection job for ${kind}`);
      const action = cloud.actions.start(job, [{ id: record.id, type: kind }], {
        id: record.id,
        delete: wanted.delete ?? record.deleteProtection,
      });
      return created({ action: presentAction(action) });
    },
  }));
}

/** @throws ApiError `protected` */
export function requireUnprotected(isProtected: boolean, kind: Protected | 'server'): void {
  if (isProtected) {
    throw new ApiError('protected', `${kind.replaceAll('_', ' ')} deletion is protected`);
  }
}
