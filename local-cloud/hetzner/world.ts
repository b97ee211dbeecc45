import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { ApiError } from './errors.ts';
import type { Labels } from './labels.ts';

/** What all resources have. `created` is ISO 8601. */
export interface Resource {
  id: number;
  name: string;
  labels: Labels;
  created: string;
}

export interface SshKey extends Resource {
  publicKey: string;
  /** MD5 in colon notation, as Hetzner shows it. */
  fingerprint: string;
}

export interface Network extends Resource {
  ipRange: string;
  subnets: Subnet[];
  routes: { destination: string; gateway: string }[];
  deleteProtection: boolean;
  exposeRoutesToVswitch: boolean;
}

export interface Subnet {
  type: 'cloud' | 'server';
  ipRange: string;
  networkZone: string;
}

export interface FirewallRule {
  direction: 'in' | 'out';
  protocol: 'tcp' | 'udp' | 'icmp' | 'esp' | 'gre';
  port: string | null;
  sourceIps: string[];
  destinationIps: string[];
  description: string | null;
}

export type FirewallTarget =
  | { type: 'server'; server: number }
  | { type: 'label_selector'; selector: string };

export interface Firewall extends Resource {
  rules: FirewallRule[];
  appliedTo: FirewallTarget[];
}

export type PlacementGroup = Resource;

export interface PrimaryIp extends Resource {
  type: 'ipv4' | 'ipv6';
  /** An IPv4 address, or an IPv6 /64. */
  ip: string;
  location: string;
  assignee: number | null;
  autoDelete: boolean;
  deleteProtection: boolean;
  dnsPtr: { ip: string; dnsPtr: string }[];
}

export interface PrivateNet {
  network: number;
  ip: string;
  aliasIps: string[];
  macAddress: string;
}

export interface Server extends Resource {
  status: 'initializing' | 'off' | 'starting' | 'running' | 'stopping' | 'deleting' | 'rebuilding';
  /**
   * The machine behind it: `none` was never booted, `stale` must be plumbed anew at its
   * next start because its public addresses changed.
   */
  machine: 'none' | 'current' | 'stale';
  serverType: string;
  image: number;
  location: string;
  userData: string;
  /** Public keys, copied when the server is created, as at Hetzner. */
  sshKeys: string[];
  privateNet: PrivateNet[];
  placementGroup: number | null;
  backupWindow: string | null;
  protection: { delete: boolean; rebuild: boolean };
  primaryDiskSize: number;
}

export interface Volume extends Resource {
  status: 'creating' | 'available';
  sizeGb: number;
  format: 'ext4' | 'xfs' | null;
  location: string;
  server: number | null;
  deleteProtection: boolean;
}

export interface HealthCheck {
  protocol: 'tcp' | 'http';
  port: number;
  interval: number;
  timeout: number;
  retries: number;
  http: { domain: string; path: string; statusCodes: string[] } | null;
}

export interface Service {
  protocol: 'tcp' | 'http';
  listenPort: number;
  destinationPort: number;
  proxyprotocol: boolean;
  healthCheck: HealthCheck;
}

export type Target =
  | { type: 'server'; server: number; usePrivateIp: boolean }
  | { type: 'label_selector'; selector: string; usePrivateIp: boolean };

export interface LoadBalancer extends Resource {
  loadBalancerType: string;
  location: string;
  /** An address of this instance's loopback range. */
  publicIp: string;
  publicInterface: boolean;
  algorithm: 'round_robin' | 'least_connections';
  privateNet: { network: number; ip: string }[];
  services: Service[];
  targets: Target[];
  deleteProtection: boolean;
}

/** Resource kinds by their singular name in the API; the plural is the path. */
export interface Kinds {
  ssh_key: SshKey;
  network: Network;
  firewall: Firewall;
  placement_group: PlacementGroup;
  primary_ip: PrimaryIp;
  server: Server;
  volume: Volume;
  load_balancer: LoadBalancer;
}
export type Kind = keyof Kinds;

export interface Reference {
  id: number;
  type: Kind;
}

export interface ActionRecord {
  id: number;
  command: string;
  status: 'running' | 'success' | 'error';
  progress: number;
  started: string;
  finished: string | null;
  resources: Reference[];
  error: { code: string; message: string } | null;
  /** The job that does it and its input: enough to take it up again after a restart. */
  job: string;
  input: unknown;
  /** Actions that must have succeeded first. */
  after: number[];
}

export interface World {
  nextId: number;
  /** The one network that exists in hardware: the first that something was attached to. */
  realizedNetwork: number | null;
  records: { [K in Kind]: Kinds[K][] };
  actions: ActionRecord[];
}

/** Reads the world from disk, or makes an empty one. */
export function openWorld(file: string): World {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return emptyWorld();
    throw error;
  }
  try {
    return JSON.parse(text) as World;
  } catch (cause) {
    throw new Error(`${file} is not JSON; remove it to start with an empty cloud`, { cause });
  }
}

/** Writes the whole world: a reader, or a restart after a kill, sees the old or the new one. */
export function saveWorld(file: string, world: World): void {
  mkdirSync(dirname(file), { recursive: true });
  // User data may hold secrets, hence 0600.
  writeFileSync(`${file}.new`, JSON.stringify(world), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** @throws ApiError `not_found` */
export function find<K extends Kind>(world: World, kind: K, id: number): Kinds[K] {
  const found = world.records[kind].find((record) => record.id === id);
  if (!found) throw new ApiError('not_found', `${kind.replaceAll('_', ' ')} ${id} not found`);
  return found;
}

/** Takes a record out of the world; nothing happens when it is already gone. */
export function remove(world: World, kind: Kind, id: number): void {
  const records: Resource[] = world.records[kind];
  const index = records.findIndex((record) => record.id === id);
  if (index >= 0) records.splice(index, 1);
}

export function newId(world: World): number {
  world.nextId += 1;
  return world.nextId;
}

/** @throws ApiError `uniqueness_error` when another record of this kind bears the name */
export function requireUniqueName(world: World, kind: Kind, name: string, self?: number): void {
  const records: Resource[] = world.records[kind];
  if (records.some((record) => record.name === name && record.id !== self)) {
    throw new ApiError('uniqueness_error', `${kind.replaceAll('_', ' ')} name is already used`, {
      fields: [{ name: 'name' }],
    });
  }
}

function emptyWorld(): World {
  return {
    nextId: 1000,
    realizedNetwork: null,
    records: {
      ssh_key: [],
      network: [],
      firewall: [],
      placement_group: [],
      primary_ip: [],
      server: [],
      volume: [],
      load_balancer: [],
    },
    actions: [],
  };
}
