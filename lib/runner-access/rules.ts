/** One rule of a firewall, as Hetzner's API has it. */
export interface Rule {
  direction: 'in' | 'out';
  protocol: string;
  port?: string | null;
  source_ips: string[];
  destination_ips?: string[];
  description?: string | null;
}

/** One runner's way in. */
export interface Access {
  /** Public IPv4 address of the runner. */
  address: string;
  port: number;
  /** Who it is, never the same twice, such as "compta/deploy run 42 (1f2e3d4c)". */
  owner: string;
}

/** GitHub ends a hosted job after six hours: what is older has no owner any more. */
const LIFETIME_MS = 6 * 3_600_000;
const DESCRIPTION = /^runner of (.+) until (\S+)$/;

/** So many rules may a firewall have: `set_rules` at https://docs.hetzner.cloud. */
const MOST_RULES = 50;

/**
 * The rules with this access, and without those that have expired.
 * @throws Error when there is no room for one more
 */
export function opened(
  rules: readonly Rule[],
  { address, port, owner }: Access,
  now: Date,
): Rule[] {
  const until = new Date(now.getTime() + LIFETIME_MS).toISOString();
  const rule: Rule = {
    direction: 'in',
    protocol: 'tcp',
    port: String(port),
    source_ips: [`${address}/32`],
    description: `runner of ${owner} until ${until}`,
  };
  const others = closed(rules, owner, now);
  if (others.length < MOST_RULES) return [...others, rule];
  const [first] = others.map((other) => wayOf(other)?.until).sort();
  throw new Error(
    `${others.length} runners may come in already, as many as Hetzner lets a firewall have. Each of them runs, or was killed before it closed its way in. The first expires at ${first}: run again then. If none of them runs, remove the rules of the firewall '<environment>-runners' in Hetzner's console.`,
  );
}

/**
 * The rules without this access and without those that have expired. What is no runner's access
 * goes as well: Terraform does not look into this firewall, so nothing else may live in it.
 */
export function closed(rules: readonly Rule[], owner: string, now: Date): Rule[] {
  return rules.filter((rule) => {
    const way = wayOf(rule);
    return way !== undefined && way.owner !== owner && Date.parse(way.until) > now.getTime();
  });
}

export function isOpen(rules: readonly Rule[], owner: string): boolean {
  return rules.some((rule) => wayOf(rule)?.owner === owner);
}

/** Whose way in a rule is; `undefined` when it is no runner's. */
function wayOf({ description }: Rule): { owner: string; until: string } | undefined {
  const [, owner, until] = DESCRIPTION.exec(description ?? '') ?? [];
  return owner === undefined || until === undefined ? undefined : { owner, until };
}
