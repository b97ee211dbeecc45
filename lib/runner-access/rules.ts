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

/** The rules with this access, and without those that have expired. */
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
  return [...closed(rules, owner, now), rule];
}

/**
 * The rules without this access and without those that have expired. What is no runner's access
 * goes as well: Terraform does not look into this firewall, so nothing else may live in it.
 */
export function closed(rules: readonly Rule[], owner: string, now: Date): Rule[] {
  return rules.filter((rule) => {
    const [, of, until = ''] = DESCRIPTION.exec(rule.description ?? '') ?? [];
    return of !== undefined && of !== owner && Date.parse(until) > now.getTime();
  });
}

export function isOpen(rules: readonly Rule[], owner: string): boolean {
  return rules.some(({ description }) => DESCRIPTION.exec(description ?? '')?.[1] === owner);
}
