import type { HetznerApi, HetznerObject } from '../../lib/hetzner/api.ts';
import { kindOf, managed, type Plan } from './plan.ts';

/**
 * What an apply that was killed made and could not write into the state: the API has it, the
 * plan wants to create it. It is taken up through import blocks, which the plan shows.
 */
export interface Adoption {
  address: string;
  id: string;
}

const COLLECTIONS = [
  'ssh_keys',
  'networks',
  'firewalls',
  'placement_groups',
  'servers',
  'volumes',
  'load_balancers',
] as const;
type Collection = (typeof COLLECTIONS)[number];

/** What the API has. */
export type Existing = Record<Collection, HetznerObject[]>;

export async function fetchExisting(api: HetznerApi): Promise<Existing> {
  const lists = COLLECTIONS.map(async (of) => [of, await api.all(of)]);
  return Object.fromEntries(await Promise.all(lists)) as Existing;
}

type Values = Record<string, unknown>;
type Rule = (after: Values, existing: Existing, environment: string) => string | undefined;

/** Things with a name of their own: found by it, and ours only by their labels. */
const named =
  (collection: Collection): Rule =>
  ({ name }, existing, environment) => {
    const found = existing[collection].find((thing) => thing.name === name);
    return found && isOurs(found, environment) ? String(found.id) : undefined;
  };

/** Things that are a part of another one: found once that one's id is known. */
const RULES: Record<string, Rule> = {
  hcloud_ssh_key: named('ssh_keys'),
  hcloud_network: named('networks'),
  hcloud_firewall: named('firewalls'),
  hcloud_placement_group: named('placement_groups'),
  hcloud_server: named('servers'),
  hcloud_volume: named('volumes'),
  hcloud_load_balancer: named('load_balancers'),

  hcloud_network_subnet({ network_id, ip_range }, existing) {
    const network = byId(existing.networks, network_id);
    const has = list(network?.subnets).some((subnet) => subnet.ip_range === ip_range);
    return has ? `${network_id}-${ip_range}` : undefined;
  },
  hcloud_volume_attachment({ volume_id, server_id }, existing) {
    const volume = byId(existing.volumes, volume_id);
    return volume && isSame(volume.server, server_id) ? String(volume_id) : undefined;
  },
  hcloud_load_balancer_network({ load_balancer_id, network_id, subnet_id }, existing) {
    const balancer = byId(existing.load_balancers, load_balancer_id);
    const network = network_id ?? String(subnet_id ?? '').split('-')[0];
    const has = list(balancer?.private_net).some((net) => isSame(net.network, network));
    return has ? `${load_balancer_id}-${network}` : undefined;
  },
  hcloud_load_balancer_service({ load_balancer_id, listen_port }, existing) {
    const balancer = byId(existing.load_balancers, load_balancer_id);
    const has = list(balancer?.services).some((service) => service.listen_port === listen_port);
    return has ? `${load_balancer_id}__${listen_port}` : undefined;
  },
  hcloud_load_balancer_target({ load_balancer_id, type, server_id }, existing) {
    const balancer = byId(existing.load_balancers, load_balancer_id);
    const has = list(balancer?.targets).some(
      (target) => type === 'server' && isSame((target.server as Values)?.id, server_id),
    );
    return has ? `${load_balancer_id}__server__${server_id}` : undefined;
  },
};

/** Everything that the plan would create although it exists already. */
export function findAdoptions(plan: Plan, existing: Existing): Adoption[] {
  const environment = environmentOf(plan);
  if (environment === undefined) return [];
  return managed(plan)
    .filter(({ change }) => kindOf(change) === 'create')
    .flatMap(({ address, type, change }) => {
      const id = RULES[type]?.((change.after ?? {}) as Values, existing, environment);
      return id === undefined ? [] : [{ address, id }];
    });
}

/**
 * The one environment that the plan's labels name. Of the plan as a whole, as the labels of a
 * server are not known before its host key is. None or several: nothing is adopted.
 */
export function environmentOf(plan: Plan): string | undefined {
  const labels = managed(plan).map(({ change }) => ((change.after ?? {}) as Values).labels);
  const names = labels.map((of) => ((of ?? {}) as Values).environment);
  const distinct = [...new Set(names.filter((name) => typeof name === 'string'))];
  return distinct.length === 1 ? distinct[0] : undefined;
}

/** A thing is ours when Terraform made it for that environment, which its labels tell. */
function isOurs({ labels }: HetznerObject, environment: string): boolean {
  return labels?.['managed-by'] === 'terraform' && labels.environment === environment;
}

/** The import blocks, as a file of the root module. */
export function importBlocks(adoptions: readonly Adoption[]): string {
  return adoptions
    .map(({ address, id }) => `import {\n  to = ${address}\n  id = ${JSON.stringify(id)}\n}\n`)
    .join('\n');
}

function byId(things: readonly HetznerObject[], id: unknown): HetznerObject | undefined {
  return things.find((thing) => isSame(thing.id, id));
}

function list(value: unknown): Values[] {
  return Array.isArray(value) ? (value as Values[]) : [];
}

/** Ids are numbers in the API and, in places, texts in the provider. */
function isSame(a: HetznerObject['id'] | unknown, b: unknown): boolean {
  return a !== null && a !== undefined && String(a) === String(b);
}
