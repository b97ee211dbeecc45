import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { ApiError } from './errors.ts';
import type { Kind, Kinds, Reference, Resource } from './resources.ts';

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

/** A server that boots from its disk. */
export const NO_OTHER_SYSTEM = { rescueEnabled: false, iso: null };

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
    return upToDate(JSON.parse(text) as World);
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

/** A world of an earlier version lacks what was added since. */
function upToDate(world: World): World {
  const records = { ...emptyWorld().records, ...world.records };
  records.server = records.server.map((server) => ({ ...NO_OTHER_SYSTEM, ...server }));
  records.load_balancer = records.load_balancer.map((balancer) => ({
    ...balancer,
    publicIpv6: balancer.publicIpv6 ?? '',
    dnsPtr: balancer.dnsPtr ?? [],
  }));
  return { ...world, records };
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
      floating_ip: [],
      server: [],
      volume: [],
      load_balancer: [],
      image: [],
      certificate: [],
    },
    actions: [],
  };
}
