import { z } from 'zod';
import { requireAbility } from './abilities.ts';
import { presentAction } from './actions.ts';
import { freeFloatingAddress } from './address-pool.ts';
import { location } from './catalogue.ts';
import { collectionRoutes } from './collection.ts';
import { ApiError, invalidInput, parseBody } from './errors.ts';
import { assignFloatingIp, nameFloatingIp, unassignFloatingIp } from './floating-ip-jobs.ts';
import { type Answer, created, idOf, noContent, type Route } from './http.ts';
import { labelsSchema } from './labels.ts';
import { requireUnprotected } from './protection.ts';
import type { FloatingIp } from './resources.ts';
import { dnsPtrSchema, presentNames } from './reverse-dns.ts';
import type { Cloud } from './site.ts';
import { type ActionRecord, find, newId, remove, requireUniqueName } from './world.ts';

const createSchema = z.object({
  type: z.enum(['ipv4', 'ipv6']),
  name: z.string().min(1).max(64).optional(),
  description: z.string().nullish(),
  home_location: z.union([z.string(), z.int()]).optional(),
  server: z.int().nullish(),
  labels: labelsSchema.default({}),
});
const updateSchema = z.object({ description: z.string().nullish() });
const assignSchema = z.object({ server: z.int() });

/** Addresses that move from server to server, where the machinery can route them. */
export function floatingIpRoutes(cloud: Cloud): Route[] {
  const { world, actions } = cloud;
  const command = (
    name: string,
    start: (ip: FloatingIp, body: unknown) => ActionRecord,
  ): Route => ({
    method: 'POST',
    path: `/floating_ips/:id/actions/${name}`,
    handle(request) {
      const ip = find(world, 'floating_ip', idOf(request));
      return created({ action: presentAction(start(ip, request.body)) });
    },
  });
  return [
    ...collectionRoutes(cloud, {
      kind: 'floating_ip',
      present,
      filters: { type: ({ type }) => type },
      planUpdate(ip, body) {
        const { description } = parseBody(updateSchema, body);
        return () => {
          if (description !== undefined) ip.description = description;
        };
      },
    }),
    { method: 'POST', path: '/floating_ips', handle: ({ body }) => create(cloud, body) },
    {
      method: 'DELETE',
      path: '/floating_ips/:id',
      handle(request) {
        const ip = find(world, 'floating_ip', idOf(request));
        requireUnprotected(ip.deleteProtection, 'floating_ip');
        actions.requireIdle(reference(ip));
        remove(world, 'floating_ip', ip.id);
        return noContent();
      },
    },
    command('assign', (ip, body) => {
      const server = find(world, 'server', parseBody(assignSchema, body).server);
      return startAssignment(cloud, ip, server.id);
    }),
    command('unassign', (ip) => {
      if (ip.server === null) throw new ApiError('service_error', 'floating IP is not assigned');
      return actions.start(unassignFloatingIp, [reference(ip), { id: ip.server, type: 'server' }], {
        id: ip.id,
      });
    }),
    command('change_dns_ptr', (ip, body) => {
      const { ip: address, dns_ptr: dnsPtr } = parseBody(dnsPtrSchema, body);
      return actions.start(nameFloatingIp, [reference(ip)], { id: ip.id, ip: address, dnsPtr });
    }),
  ];
}

const reference = ({ id }: FloatingIp) => ({ id, type: 'floating_ip' as const });

function startAssignment({ actions }: Cloud, ip: FloatingIp, server: number): ActionRecord {
  return actions.start(assignFloatingIp, [reference(ip), { id: server, type: 'server' }], {
    id: ip.id,
    server,
  });
}

function create(cloud: Cloud, body: unknown): Answer {
  const { world } = cloud;
  requireAbility(cloud.abilities.floatingAddresses, 'a floating IP');
  const wanted = parseBody(createSchema, body);
  const server = wanted.server == null ? null : find(world, 'server', wanted.server);
  if (!server && wanted.home_location === undefined) {
    throw invalidInput('home_location', 'either a home location or a server is needed');
  }
  const id = newId(world);
  const name = wanted.name ?? `floating-ip-${id}`;
  requireUniqueName(world, 'floating_ip', name);
  const ip: FloatingIp = {
    id,
    name,
    labels: wanted.labels,
    created: new Date().toISOString(),
    description: wanted.description ?? null,
    type: wanted.type,
    ip: freeFloatingAddress(cloud, wanted.type),
    homeLocation: server?.location ?? location(wanted.home_location ?? '').name,
    server: null,
    deleteProtection: false,
    dnsPtr: [],
  };
  world.records.floating_ip.push(ip);
  const action = server ? presentAction(startAssignment(cloud, ip, server.id)) : null;
  return created({ floating_ip: present(ip), action });
}

function present(ip: FloatingIp) {
  const { id, name, labels, created, description, type, server } = ip;
  return {
    id,
    name,
    labels,
    created,
    description,
    type,
    ip: ip.ip,
    home_location: location(ip.homeLocation),
    server,
    blocked: false,
    dns_ptr: presentNames(ip.dnsPtr),
    protection: { delete: ip.deleteProtection },
  };
}
