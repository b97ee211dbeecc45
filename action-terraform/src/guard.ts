import { kindOf, managed, type Plan } from './plan.ts';

/** What is gone with its data, its address or its price when it is deleted or replaced. */
const GUARDED = new Set([
  'hcloud_server',
  'hcloud_volume',
  'hcloud_network',
  'hcloud_network_subnet',
  'hcloud_load_balancer',
  'hcloud_primary_ip',
  'hcloud_floating_ip',
  'hcloud_snapshot',
]);

/** The addresses that the plan would delete or replace and that no glob of `allowed` covers. */
export function forbiddenDestroys(plan: Plan, allowed: readonly string[]): string[] {
  const patterns = allowed.map(globPattern);
  return managed(plan)
    .filter(({ type }) => GUARDED.has(type))
    .filter(({ change }) => ['delete', 'replace'].includes(kindOf(change)))
    .map(({ address }) => address)
    .filter((address) => !patterns.some((pattern) => pattern.test(address)));
}

/** `*` stands for anything; everything else, brackets and quotes too, for itself. */
function globPattern(glob: string): RegExp {
  const parts = glob.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`);
}
