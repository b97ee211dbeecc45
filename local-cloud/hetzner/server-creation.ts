import { z } from 'zod';
import { presentAction } from './actions.ts';
import { newPrimaryIp } from './address-pool.ts';
import { location, requireOrderable, serverType } from './catalogue.ts';
import { ApiError, invalidInput, parseBody } from './errors.ts';
import { type Answer, created } from './http.ts';
import { chooseImage } from './images.ts';
import { labelsSchema } from './labels.ts';
import { requirePlace } from './placement-groups.ts';
import { chooseAddress, claimHardware, requireRoomFor } from './private-network.ts';
import type { PrimaryIp, Server } from './resources.ts';
import { createServer, macAddress, startServer } from './server-jobs.ts';
import { presentServer } from './server-presentation.ts';
import type { Cloud } from './site.ts';
import { attachVolume } from './volume-jobs.ts';
import { refuseAutomount } from './volumes.ts';
import { find, NO_OTHER_SYSTEM, newId, requireUniqueName } from './world.ts';

const idOrName = z.union([z.string(), z.int()]);
export const hostname = z
  .string()
  .max(253)
  .regex(/^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9-]+)*$/, 'not a hostname');

const createSchema = z.object({
  name: hostname,
  server_type: idOrName,
  image: idOrName,
  location: idOrName.optional(),
  ssh_keys: z.array(idOrName).default([]),
  user_data: z.string().max(32_768, 'longer than 32 KiB').default(''),
  start_after_create: z.boolean().default(true),
  labels: labelsSchema.default({}),
  automount: z.boolean().default(false),
  volumes: z.array(z.int()).default([]),
  networks: z.array(z.int()).max(3).default([]),
  firewalls: z
    .array(z.object({ firewall: z.int() }))
    .max(5)
    .default([]),
  placement_group: z.int().nullish(),
  public_net: z
    .object({
      enable_ipv4: z.boolean().default(true),
      enable_ipv6: z.boolean().default(true),
      ipv4: z.int().nullish(),
      ipv6: z.int().nullish(),
    })
    .default({ enable_ipv4: true, enable_ipv6: true }),
});
type Wanted = z.infer<typeof createSchema>;

/** `POST /servers`: every rule is checked before anything is changed. */
export function createServerFrom(cloud: Cloud, body: unknown): Answer {
  const { world, actions } = cloud;
  const wanted = parseBody(createSchema, body);
  refuseAutomount(wanted.automount);
  const server = planServer(cloud, wanted);
  const addresses = planAddresses(cloud, wanted, server.location);
  const firewalls = wanted.firewalls.map(({ firewall }) => find(world, 'firewall', firewall));
  if (firewalls.length > 0 && !addresses.some(({ type }) => type === 'ipv4')) {
    throw new ApiError('private_net_only_server', 'a firewall needs a server with a public IPv4');
  }
  const volumes = wanted.volumes.map((id) => requireFreeVolume(cloud, id, server.location));
  const networks = wanted.networks.map((id) => find(world, 'network', id));

  for (const [index, network] of networks.entries()) {
    requireRoomFor(world, wanted.networks.slice(0, index), network);
  }
  for (const network of networks) {
    const ip = chooseAddress(world, network, {});
    claimHardware(cloud, network);
    server.privateNet.push({
      network: network.id,
      ip,
      aliasIps: [],
      macAddress: macAddress(server.id),
    });
  }
  world.records.server.push(server);
  for (const address of addresses) {
    address.assignee = server.id;
    if (!world.records.primary_ip.includes(address)) world.records.primary_ip.push(address);
  }
  for (const firewall of firewalls) {
    firewall.appliedTo.push({ type: 'server', server: server.id });
  }
  const own = { id: server.id, type: 'server' as const };
  const creation = actions.start(createServer, [own], { id: server.id });
  const start = wanted.start_after_create
    ? [actions.start(startServer, [own], { id: server.id }, [creation])]
    : [];
  const attachments = volumes.map(({ id }) =>
    actions.start(attachVolume, [{ id, type: 'volume' }, own], { id, server: server.id }, [
      creation,
      ...start,
    ]),
  );
  return created({
    server: presentServer(cloud, server),
    action: presentAction(creation),
    next_actions: [...start, ...attachments].map(presentAction),
    root_password: null,
  });
}

function planServer(cloud: Cloud, wanted: Wanted): Server {
  const { world, faults } = cloud;
  requireUniqueName(world, 'server', wanted.name);
  const type = serverType(wanted.server_type);
  const offers = type.locations.filter(({ available }) => available);
  const at = location(wanted.location ?? offers[0]?.name ?? type.locations[0]?.name ?? '');
  requireOrderable(type, at);
  faults.requireRoom(type.name, at.name);
  const disk = chooseImage(world, wanted.image);
  if (disk.architecture !== type.architecture) {
    throw invalidInput(
      'image',
      `image ${disk.name ?? disk.id} does not run on ${type.architecture}`,
    );
  }
  if (wanted.placement_group != null) {
    requirePlace(world, find(world, 'placement_group', wanted.placement_group));
  }
  return {
    id: newId(world),
    name: wanted.name,
    labels: wanted.labels,
    created: new Date().toISOString(),
    status: 'initializing',
    machine: 'none',
    serverType: type.name,
    image: disk.id,
    location: at.name,
    userData: wanted.user_data,
    sshKeys: wanted.ssh_keys.map((key) => publicKeyOf(cloud, key)),
    privateNet: [],
    placementGroup: wanted.placement_group ?? null,
    backupWindow: null,
    protection: { delete: false, rebuild: false },
    primaryDiskSize: type.disk,
    ...NO_OTHER_SYSTEM,
  };
}

function publicKeyOf({ world }: Cloud, idOrName: string | number): string {
  const found = world.records.ssh_key.find(
    ({ id, name }) => name === idOrName || String(id) === String(idOrName),
  );
  if (!found) throw invalidInput('ssh_keys', `SSH key '${idOrName}' does not exist`);
  return found.publicKey;
}

/** The primary IPs of the new server: those it names, else new ones that go with it. */
function planAddresses(cloud: Cloud, wanted: Wanted, at: string): PrimaryIp[] {
  const { enable_ipv4, enable_ipv6, ipv4, ipv6 } = wanted.public_net;
  const families = [
    { type: 'ipv4', enabled: enable_ipv4, id: ipv4 },
    { type: 'ipv6', enabled: enable_ipv6, id: ipv6 },
  ] as const;
  return families.flatMap(({ type, enabled, id }) => {
    if (id != null) return [requireFreeAddress(cloud, id, type, at)];
    return enabled
      ? [newPrimaryIp(cloud, { type, location: at, labels: {}, autoDelete: true })]
      : [];
  });
}

function requireFreeAddress(
  { world, actions }: Cloud,
  id: number,
  type: PrimaryIp['type'],
  at: string,
): PrimaryIp {
  const ip = find(world, 'primary_ip', id);
  actions.requireIdle({ id, type: 'primary_ip' });
  if (ip.type !== type) {
    throw new ApiError('primary_ip_version_mismatch', `primary IP ${ip.name} is not ${type}`);
  }
  if (ip.assignee !== null) {
    throw new ApiError('primary_ip_assigned', `primary IP ${ip.name} is already assigned`);
  }
  if (ip.location !== at) {
    throw invalidInput(`public_net.${type}`, `primary IP ${ip.name} is in ${ip.location}`);
  }
  return ip;
}

function requireFreeVolume({ world, actions }: Cloud, id: number, at: string) {
  const volume = find(world, 'volume', id);
  actions.requireIdle({ id, type: 'volume' });
  if (volume.server !== null) {
    throw new ApiError('volume_already_attached', `volume ${volume.name} is already attached`);
  }
  if (volume.location !== at) {
    throw invalidInput('volumes', `volume ${volume.name} is in ${volume.location}, not ${at}`);
  }
  return volume;
}
