import { presentAction } from './actions.ts';
import { created, idOf, type Route } from './http.ts';
import type { Server } from './resources.ts';
import type { Cloud } from './site.ts';
import { type ActionRecord, find } from './world.ts';

export const own = ({ id }: Server) => ({ id, type: 'server' as const });

/** `POST /servers/:id/actions/<command>`, which answers what is made of the server and the body. */
export function commandRoute(
  { world }: Cloud,
  command: string,
  answer: (server: Server, body: unknown) => object,
): Route {
  return {
    method: 'POST',
    path: `/servers/:id/actions/${command}`,
    handle: (request) => created(answer(find(world, 'server', idOf(request)), request.body)),
  };
}

/** A command that answers the action it starts. */
export function acting(
  cloud: Cloud,
  command: string,
  start: (server: Server, body: unknown) => ActionRecord,
): Route {
  return commandRoute(cloud, command, (server, body) => ({
    action: presentAction(start(server, body)),
    root_password: null,
  }));
}
