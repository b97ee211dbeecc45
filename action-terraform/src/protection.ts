import { type Action, settled } from '../../lib/hetzner/actions.ts';
import type { HetznerApi } from '../../lib/hetzner/api.ts';
import { kindOf, managed, type Plan } from './plan.ts';
import type { Session } from './session.ts';

/** Where the API keeps what it can protect. */
const COLLECTIONS: Record<string, string> = {
  hcloud_server: 'servers',
  hcloud_volume: 'volumes',
  hcloud_network: 'networks',
  hcloud_load_balancer: 'load_balancers',
  hcloud_primary_ip: 'primary_ips',
  hcloud_floating_ip: 'floating_ips',
};

export interface Protected {
  address: string;
  collection: string;
  id: string;
}

/** What the plan takes away or replaces although the API would refuse it. */
export function protectedDestroys(plan: Plan): Protected[] {
  return managed(plan).flatMap(({ address, type, change }) => {
    const collection = COLLECTIONS[type];
    const before = (change.before ?? {}) as { id?: string; delete_protection?: boolean };
    const goes = ['delete', 'replace'].includes(kindOf(change));
    if (!collection || !goes || !before.delete_protection || !before.id) return [];
    return [{ address, collection, id: before.id }];
  });
}

/**
 * The first of the two steps that Hetzner asks for: what is about to be destroyed, and was
 * allowed to be by `allow-destroy`, loses its protection. Terraform does the second.
 */
export async function liftProtection(
  { runner }: Pick<Session, 'runner'>,
  plan: Plan,
  api: HetznerApi,
): Promise<void> {
  for (const { address, collection, id } of protectedDestroys(plan)) {
    // Hetzner wants the two protections of a server to be equal.
    const body = collection === 'servers' ? { delete: false, rebuild: false } : { delete: false };
    const answer = await api.post(`/${collection}/${id}/actions/change_protection`, body);
    await settled(api, (answer as { action?: Action } | undefined)?.action);
    runner.notice(`Lifted the delete protection of ${address} (${id}): the plan destroys it.`);
  }
}
