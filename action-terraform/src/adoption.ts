import type { HetznerApi, HetznerObject } from '../../lib/hetzner/api.ts';
import { kindOf, managed, type Plan, type ResourceChange } from './plan.ts';

/**
 * What an apply that was killed made and could not write into the state: the API has it, the
 * plan wants to create it. It is taken up through import blocks, which the plan shows.
 */
export interface Adoption {
  address: string;
  id: string;
}

type Values = Record<string, unknown>;
type Rule = (after: Values, api: HetznerApi, environment: string) => Promise<string | undefined>;

/** Things with a name of their own: found by it, and ours only by their labels. */
const named =
  (collection: string): Rule =>
  async (after, api, environment) => {
    if (typeof after.name !== 'string') return undefined;
    const found = await api.byName(collection, after.name);
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

  async hcloud_network_subnet({ network_id, ip_range }, api) {
    const network = await parent(api, 'networks', network_id);
    const has = list(network?.subnets).some((subnet) => subnet.ip_range === ip_range);
    return has ? `${network_id}-${ip_range}` : undefined;
  },
  async hcloud_volume_attachment({ volume_id, server_id }, api) {
    const volume = await parent(api, 'volumes', volume_id);
    return volume && isSame(volume.server, server_id) ? String(volume_id) : undefined;
  },
  async hcloud_load_balancer_network({ load_balancer_id, network_id, subnet_id }, api) {
    const balancer = await parent(api, 'load_balancers', load_balancer_id);
    const network = network_id ?? String(subnet_id ?? '').split('-')[0];
    const has = list(balancer?.private_net).some((net) => isSame(net.network, network));
    return has ? `${load_balancer_id}-${network}` : undefined;
  },
  async hcloud_load_balancer_service({ load_balancer_id, listen_port }, api) {
    const balancer = await parent(api, 'load_balancers', load_balancer_id);
    const has = list(balancer?.services).some((service) => service.listen_port === listen_port);
    return has ? `${load_balancer_id}__${listen_port}` : undefined;
  },
  async hcloud_load_balancer_target({ load_balancer_id, type, server_id }, api) {
    const balancer = await parent(api, 'load_balancers', load_balancer_id);
    const has = list(balancer?.targets).some(
      (target) => type === 'server' && isSame((target.server as Values)?.id, server_id),
    );
    return has ? `${load_balancer_id}__server__${server_id}` : undefined;
  },
};

/** Everything that the plan would create although the API has it already. */
export async function findAdoptions(plan: Plan, api: HetznerApi): Promise<Adoption[]> {
  const environment = environmentOf(plan);
  if (environment === undefined) return [];
  const found = await Promise.all(
    managed(plan)
      .filter(({ change }) => kindOf(change) === 'create')
      .map((resource) => adoptionOf(resource, api, environment)),
  );
  return found.filter((adoption) => adoption !== undefined);
}

async function adoptionOf(
  { address, type, change }: ResourceChange,
  api: HetznerApi,
  environment: string,
): Promise<Adoption | undefined> {
  const id = await RULES[type]?.((change.after ?? {}) as Values, api, environment);
  return id === undefined ? undefined : { address, id };
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

async function parent(api: HetznerApi, collection: string, id: unknown) {
  return id === undefined || id === null ? undefined : api.byId(collection, String(id));
}

function list(value: unknown): Values[] {
  return Array.isArray(value) ? (value as Values[]) : [];
}

/** Ids are numbers in the API and, in places, texts in the provider. */
function isSame(a: HetznerObject['id'] | unknown, b: unknown): boolean {
  return a !== null && a !== undefined && String(a) === String(b);
}
