import { kindOf, managed, type Plan, type ResourceChange } from './plan.ts';

/** A rule that the world would break after the plan. */
export interface Violation {
  rule: string;
  address: string;
  /** What is wrong and what to do, as a sentence. */
  problem: string;
}

type Values = Record<string, unknown>;

/** A resource as it would be after the plan. */
interface Planned {
  address: string;
  module: string;
  type: string;
  after: Values;
  /** Which attributes only the apply will know. */
  unknown: Values;
  sensitive: Values;
}

type Rule = (resource: Planned, all: readonly Planned[]) => string | undefined;

/** Doors to machines and data: never open to everybody. */
const PRIVATE_PORTS = [22, 2222, 3306, 5432, 6379, 6432, 9200, 27017];
const EVERYBODY = new Set(['0.0.0.0/0', '::/0']);
const LABELLED = new Set([
  'hcloud_server',
  'hcloud_volume',
  'hcloud_network',
  'hcloud_firewall',
  'hcloud_load_balancer',
  'hcloud_placement_group',
  'hcloud_primary_ip',
]);
const PROTECTABLE = new Set([
  'hcloud_server',
  'hcloud_volume',
  'hcloud_network',
  'hcloud_load_balancer',
  'hcloud_primary_ip',
]);

const RULES: Record<string, Rule> = {
  'private-port-open'({ type, after }) {
    if (type !== 'hcloud_firewall') return undefined;
    const open = records(after.rule)
      .filter(({ direction, protocol }) => direction === 'in' && protocol === 'tcp')
      .filter(({ source_ips }) => texts(source_ips).some((range) => EVERYBODY.has(range)))
      .flatMap(({ port }) => PRIVATE_PORTS.filter((number) => covers(String(port ?? ''), number)));
    return open.length === 0
      ? undefined
      : `it opens ${open.join(', ')} to the whole internet: name the addresses that need it.`;
  },

  'server-without-firewall'({ type, after, unknown }, all) {
    if (type !== 'hcloud_server' || isSet(after.firewall_ids) || isUnknown(unknown.firewall_ids)) {
      return undefined;
    }
    const attached = all.some((other) => other.type === 'hcloud_firewall_attachment');
    return attached
      ? undefined
      : 'it is in no firewall, so everything on its public address is open: give it firewall_ids.';
  },

  'siblings-without-placement-group'({ type, after, unknown }, all) {
    if (type !== 'hcloud_server' || isSet(after.placement_group_id)) return undefined;
    if (isUnknown(unknown.placement_group_id)) return undefined;
    const family = familyOf(String(after.name ?? ''));
    const siblings = all.filter(
      (other) => other.type === type && familyOf(String(other.after.name ?? '')) === family,
    );
    return siblings.length < 2
      ? undefined
      : `it and ${siblings.length - 1} like it may land on one machine of Hetzner's: put them into a placement group.`;
  },

  'production-unprotected'({ type, after }, all) {
    if (!PROTECTABLE.has(type) || environmentOf(all) !== 'production') return undefined;
    return after.delete_protection === true
      ? undefined
      : 'it is in production without delete_protection.';
  },

  'public-load-balancer-target'({ type, after, unknown }) {
    if (type !== 'hcloud_load_balancer_target' || after.type === 'ip') return undefined;
    return after.use_private_ip === true || isUnknown(unknown.use_private_ip)
      ? undefined
      : 'the load balancer would reach it over the internet: set use_private_ip = true.';
  },

  'labels-missing'({ type, after, unknown }) {
    if (!LABELLED.has(type) || isUnknown(unknown.labels)) return undefined;
    const labels = (after.labels ?? {}) as Values;
    const missing = ['environment', 'managed-by'].filter((name) => !labels[name]);
    return missing.length === 0
      ? undefined
      : `it has no label ${missing.join(' and no ')}, by which a lost state finds it again.`;
  },

  'secret-in-user-data'({ type, after, sensitive, module }, all) {
    if (type !== 'hcloud_server') return undefined;
    const text = typeof after.user_data === 'string' ? after.user_data : '';
    const readable = /PRIVATE KEY-----|^\s*(password|passwd|token|secret)\s*:/im.test(text);
    // A host key for the first contact has to travel this way; it is a resource of that module.
    const hostKey = all.some(
      (other) => other.type === 'tls_private_key' && other.module === module,
    );
    return readable || (sensitive.user_data === true && !hostKey)
      ? 'its user_data is made of secrets, and the metadata service shows it to whoever is on the server.'
      : undefined;
  },
};

/** Everything in the world after the plan that breaks a rule, whether the plan touches it or not. */
export function violations(plan: Plan): Violation[] {
  const all = managed(plan).flatMap(planned);
  return all.flatMap((resource) =>
    Object.entries(RULES).flatMap(([rule, check]) => {
      const problem = check(resource, all);
      return problem === undefined ? [] : [{ rule, address: resource.address, problem }];
    }),
  );
}

function planned({ address, module_address, type, change }: ResourceChange): Planned[] {
  if (kindOf(change) === 'delete' || kindOf(change) === 'forget' || !change.after) return [];
  return [
    {
      address,
      module: module_address ?? '',
      type,
      after: change.after as Values,
      unknown: (change.after_unknown ?? {}) as Values,
      sensitive: change.after_sensitive === true ? {} : ((change.after_sensitive ?? {}) as Values),
    },
  ];
}

/** "staging-app-1" and "staging-app-2" are of one family: whatever differs by its number only. */
function familyOf(name: string): string {
  return name.replace(/-?\d+$/, '');
}

function environmentOf(all: readonly Planned[]): string | undefined {
  const names = all.map(({ after }) => ((after.labels ?? {}) as Values).environment);
  return names.find((name) => typeof name === 'string');
}

/** "22", "20-25" or "any". */
function covers(port: string, number: number): boolean {
  if (port === 'any') return true;
  const [from = Number.NaN, to = from] = port.split('-').map(Number);
  return from <= number && number <= to;
}

function isSet(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : value !== null && value !== undefined;
}

function isUnknown(mark: unknown): boolean {
  return mark === true || (Array.isArray(mark) && mark.includes(true));
}

function records(value: unknown): Values[] {
  return Array.isArray(value) ? (value as Values[]) : [];
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
