import { z } from 'zod';
import { canonicalRange } from './addresses.ts';
import { ApiError, invalidInput } from './errors.ts';
import { isSameTarget } from './firewall-jobs.ts';
import { parseSelector } from './labels.ts';
import { firewallsOf, publicIpv4 } from './policies.ts';
import type { Firewall, FirewallRule, FirewallTarget } from './resources.ts';
import type { Cloud } from './site.ts';

export const ruleSchema = z.object({
  direction: z.enum(['in', 'out']),
  protocol: z.enum(['tcp', 'udp', 'icmp', 'esp', 'gre']),
  port: z.string().nullish(),
  source_ips: z.array(z.string()).default([]),
  destination_ips: z.array(z.string()).default([]),
  description: z.string().max(255).nullish(),
});
export const resourceSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('server'), server: z.object({ id: z.int() }) }),
  z.object({
    type: z.literal('label_selector'),
    label_selector: z.object({ selector: z.string() }),
  }),
]);
/**
 * What forbids applying a firewall, if anything.
 * @throws ApiError `firewall_already_applied`, `firewall_resource_not_found`,
 *   `private_net_only_server`, `invalid_input` for a wrong selector
 */
export function requireApplicable(
  { world }: Cloud,
  firewall: Firewall,
  target: FirewallTarget,
): void {
  if (firewall.appliedTo.some((other) => isSameTarget(other, target))) {
    throw new ApiError('firewall_already_applied', 'firewall is already applied to the resource');
  }
  if (target.type === 'label_selector') {
    parseSelector(target.selector);
    return;
  }
  const server = world.records.server.find(({ id }) => id === target.server);
  if (!server) {
    throw new ApiError('firewall_resource_not_found', `server ${target.server} not found`);
  }
  if (!publicIpv4(world, server)) {
    throw new ApiError('private_net_only_server', `server ${server.name} has no public IPv4`);
  }
}

/**
 * What forbids taking a firewall away, if anything.
 * @throws ApiError `firewall_managed_by_label_selector`, `firewall_resource_not_found`
 */
export function requireApplied({ world }: Cloud, firewall: Firewall, target: FirewallTarget): void {
  if (firewall.appliedTo.some((other) => isSameTarget(other, target))) return;
  const server = world.records.server.find(
    ({ id }) => target.type === 'server' && id === target.server,
  );
  if (server && firewallsOf(world, server).includes(firewall)) {
    throw new ApiError(
      'firewall_managed_by_label_selector',
      `a label selector applies the firewall to server ${server.name}`,
    );
  }
  throw new ApiError('firewall_resource_not_found', 'firewall is not applied to the resource');
}

export function readTarget(resource: z.infer<typeof resourceSchema>): FirewallTarget {
  return resource.type === 'server'
    ? { type: 'server', server: resource.server.id }
    : { type: 'label_selector', selector: resource.label_selector.selector };
}

const PORT = /^(any|\d{1,5}(-\d{1,5})?)$/;
/** CIDR blocks that one rule may name. */
const MOST_RANGES = 100;

/** A rule as it is stored. @throws ApiError `invalid_input` */
export function readRule(rule: z.infer<typeof ruleSchema>, index: number): FirewallRule {
  const field = `rules.${index}`;
  const inbound = rule.direction === 'in';
  const [own, other] = inbound
    ? (['source_ips', 'destination_ips'] as const)
    : (['destination_ips', 'source_ips'] as const);
  if (rule[other].length > 0) {
    throw invalidInput(
      `${field}.${other}`,
      `a rule of direction ${rule.direction} has no ${other}`,
    );
  }
  const ranges = readRanges(rule[own], `${field}.${own}`);
  requirePort(rule.protocol, rule.port ?? null, `${field}.port`);
  return {
    direction: rule.direction,
    protocol: rule.protocol,
    port: rule.port ?? null,
    sourceIps: inbound ? ranges : [],
    destinationIps: inbound ? [] : ranges,
    description: rule.description ?? null,
  };
}

function readRanges(texts: string[], field: string): string[] {
  if (texts.length === 0) throw invalidInput(field, 'is required');
  if (texts.length > MOST_RANGES) throw invalidInput(field, `more than ${MOST_RANGES} CIDR blocks`);
  return texts.map((text) => {
    const range = canonicalRange(text);
    if (!range) throw invalidInput(field, `'${text}' is not CIDR with empty host bits`);
    return range;
  });
}

function requirePort(protocol: FirewallRule['protocol'], port: string | null, field: string): void {
  const hasPort = protocol === 'tcp' || protocol === 'udp';
  if (hasPort && !PORT.test(port ?? '')) {
    throw invalidInput(field, `'${port ?? ''}' is not a port, a range or 'any'`);
  }
  if (!hasPort && port) throw invalidInput(field, `protocol ${protocol} has no ports`);
}
