import { z } from 'zod';
import { presentAction } from './actions.ts';
import { newPrimaryIp } from './address-pool.ts';
import { location } from './catalogue.ts';
import { collectionRoutes } from './collection.ts';
import { ApiError, invalidInput, parseBody } from './errors.ts';
import { created, idOf, noContent, type Route } from './http.ts';
import { labelsSchema } from './labels.ts';
import { assignPrimaryIp, changeDnsPtr, unassignPrimaryIp } from './primary-ip-jobs.ts';
import { requireUnprotected } from './protection.ts';
import type { PrimaryIp, Server } from './resources.ts';
import { dnsPtrSchema, presentNames } from './reverse-dns.ts';
import type { Cloud } from './site.ts';
import { find, remove, requireUniqueName } from './world.ts';

const createSchema = z.object({
  name: z.string().min(1).max(64),
  type: z.enum(['ipv4', 'ipv6']),
  assignee_type: z.literal('server').default('server'),
  assignee_id: z.int().nullish(),
  auto_delete: z.boolean().default(false),
  location: z.union([z.string(), z.int()]).optional(),
  labels: labelsSchema.default({}),
});
const updateSchema = z.object({ auto_delete: z.boolean().optional() });
const assignSchema = z.object({ assignee_id: z.int(), assignee_type: z.literal('server') });

export function primaryIpRoutes(cloud: Cloud): Route[] {
  const { world, actions } = cloud;
  const reference = ({ id }: PrimaryIp) => ({ id, type: 'primary_ip' as const });
  const action = (
    command: string,
    handle: (ip: PrimaryIp, body: unknown) => ReturnType<typeof actions.start>,
  ): Route => ({
    method: 'POST',
    path: `/primary_ips/:id/actions/${command}`,
    handle(request) {
      const started = handle(find(world, 'primary_ip', idOf(request)), request.body);
      return created({ action: presentAction(started) });
    },
  });
  return [
    ...collectionRoutes(cloud, {
      kind: 'primary_ip',
      present,
      filters: { ip: ({ ip }) => ip.replace('/64', ''), type: ({ type }) => type },
      planUpdate(ip, body) {
        const autoDelete = parseBody(updateSchema, body).auto_delete;
        return () => {
          ip.autoDelete = autoDelete ?? ip.autoDelete;
        };
      },
    }),
    { method: 'POST', path: '/primary_ips', handle: ({ body }) => create(cloud, body) },
    {
      method: 'DELETE',
      path: '/primary_ips/:id',
      handle(request) {
        const ip = find(world, 'primary_ip', idOf(request));
        requireUnprotected(ip.deleteProtection, 'primary_ip');
        actions.requireIdle(reference(ip));
        if (ip.assignee !== null) {
          throw new ApiError('must_be_unassigned', 'primary IP is assigned, unassign it first');
        }
        remove(world, 'primary_ip', ip.id);
        return noContent();
      },
    },
    action('assign', (ip, body) => {
      const server = find(world, 'server', parseBody(assignSchema, body).assignee_id);
      requireAssignable(cloud, ip, server);
      return actions.start(assignPrimaryIp, [reference(ip), { id: server.id, type: 'server' }], {
        id: ip.id,
        server: server.id,
      });
    }),
    action('unassign', (ip) => {
      if (ip.assignee === null) throw new ApiError('service_error', 'primary IP is not assigned');
      requireStopped(find(world, 'server', ip.assignee));
      return actions.start(
        unassignPrimaryIp,
        [reference(ip), { id: ip.assignee, type: 'server' }],
        { id: ip.id },
      );
    }),
    action('change_dns_ptr', (ip, body) => {
      const change = parseBody(dnsPtrSchema, body);
      return actions.start(changeDnsPtr, [reference(ip)], {
        id: ip.id,
        ip: change.ip,
        dnsPtr: change.dns_ptr,
      });
    }),
  ];
}

export function requireStopped(server: Server): void {
  if (server.status !== 'off') {
    throw new ApiError('server_not_stopped', `server ${server.name} must be powered off first`);
  }
}

function requireAssignable({ world }: Cloud, ip: PrimaryIp, server: Server): void {
  if (ip.assignee !== null) {
    throw new ApiError('primary_ip_already_assigned', 'primary IP is already assigned');
  }
  const other = world.records.primary_ip.find(
    ({ assignee, type }) => assignee === server.id && type === ip.type,
  );
  if (other) {
    const code = ip.type === 'ipv4' ? 'server_has_ipv4' : 'server_has_ipv6';
    throw new ApiError(code, `server ${server.name} already has an ${ip.type} address`);
  }
  if (ip.location !== server.location) {
    throw invalidInput('assignee_id', `the server is in ${server.location}, not ${ip.location}`);
  }
  requireStopped(server);
}

function create(cloud: Cloud, body: unknown) {
  const { world, actions } = cloud;
  const wanted = parseBody(createSchema, body);
  requireUniqueName(world, 'primary_ip', wanted.name);
  const server = wanted.assignee_id == null ? null : find(world, 'server', wanted.assignee_id);
  if (!server && wanted.location === undefined) {
    throw invalidInput('location', 'either a location or an assignee is needed');
  }
  const ip = newPrimaryIp(cloud, {
    name: wanted.name,
    type: wanted.type,
    location: server?.location ?? location(wanted.location ?? '').name,
    labels: wanted.labels,
    autoDelete: wanted.auto_delete,
  });
  if (server) {
    requireAssignable(cloud, ip, server);
    actions.requireIdle({ id: server.id, type: 'server' });
  }
  world.records.primary_ip.push(ip);
  const action = server
    ? actions.start(
        assignPrimaryIp,
        [
          { id: ip.id, type: 'primary_ip' },
          { id: server.id, type: 'server' },
        ],
        { id: ip.id, server: server.id },
      )
    : null;
  return created({ primary_ip: present(ip), action: action && presentAction(action) });
}

function present(ip: PrimaryIp) {
  const { id, name, labels, created, type } = ip;
  return {
    id,
    name,
    labels,
    created,
    type,
    ip: ip.ip,
    location: location(ip.location),
    assignee_id: ip.assignee,
    assignee_type: 'server',
    auto_delete: ip.autoDelete,
    blocked: false,
    dns_ptr: presentNames(ip.dnsPtr),
    protection: { delete: ip.deleteProtection },
  };
}
