import { z } from 'zod';
import { ApiError, invalidInput, notAvailable } from './errors.ts';
import { isSameTarget } from './firewall-jobs.ts';
import { parseSelector } from './labels.ts';
import { publicIpv4 } from './policies.ts';
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

export function requireApplied(firewall: Firewall, target: FirewallTarget): void {
  if (!firewall.appliedTo.some((other) => isSameTarget(other, target))) {
    throw new ApiError('firewall_resource_not_found', 'firewall is not applied to the resource');
  }
}

export function readTarget(resource: z.infer<typeof resourceSchema>): FirewallTarget {
  return resource.type === 'server'
    ? { type: 'server', server: resource.server.id }
    : { type: 'label_selector', selector: resource.label_selector.selector };
}

const CIDR = /^([0-9.]+\/\d{1,2}|[0-9a-f:.]+\/\d{1,3})$/i;
const PORT = /^(any|\d{1,5}(-\d{1,5})?)$/;

/** A rule as it is stored. @throws ApiError `invalid_input` */
export function readRule(rule: z.infer<typeof ruleSchema>, index: number): FirewallRule {
  const field = `rules.${index}`;
  if (rule.direction === 'out') {
    // Accepting it would promise a policy that the hardware layer does not enforce.
    throw notAvailable('an outbound firewall rule');
  }
  const ranges = rule.source_ips;
  const wrong = ranges.find((range) => !CIDR.test(range));
  if (wrong !== undefined || ranges.length === 0) {
    throw invalidInput(`${field}.source_ips`, wrong ? `'${wrong}' is not CIDR` : 'is required');
  }
  const hasPort = rule.protocol === 'tcp' || rule.protocol === 'udp';
  if (hasPort && !PORT.test(rule.port ?? '')) {
    throw invalidInput(`${field}.port`, `'${rule.port ?? ''}' is not a port, a range or 'any'`);
  }
  if (!hasPort && rule.port) {
    throw invalidInput(`${field}.port`, `protocol ${rule.protocol} has no ports`);
  }
  return {
    direction: rule.direction,
    protocol: rule.protocol,
    port: rule.port ?? null,
    sourceIps: rule.source_ips,
    destinationIps: [],
    description: rule.description ?? null,
  };
}
