import { hetznerApi } from '../../lib/hetzner/api.ts';
import { labelledHostKeys } from '../../lib/inventory/host-key-labels.ts';
import type { Inventory } from '../../lib/inventory/inventory.ts';
import { type Destination, destinationOf } from '../../lib/release/connect.ts';
import type { Step } from '../../lib/runner/main.ts';

/** What the servers' labels tell is a help: without it Terraform's outputs are all that is known. */
export async function labelledKeys(
  servers: Inventory | undefined,
  hcloudToken: string | undefined,
  { runner, cancelled }: Step,
): Promise<string> {
  if (servers === undefined || hcloudToken === undefined) return '';
  try {
    return await labelledHostKeys(servers, hetznerApi(hcloudToken, runner.env, cancelled));
  } catch (error) {
    const why = (error as Error).message;
    runner.warning(`Host keys that were renewed since the outputs are not known: ${why}`);
    return '';
  }
}

/**
 * The application servers, any of which may be off.
 * @param renewed lines of known_hosts that the inventory does not have
 */
export function applicationServers(
  inventory: Inventory,
  privateKey: string,
  renewed: string,
): Destination {
  const { ssh, ...where } = destinationOf(inventory, privateKey, 'skip');
  return { ...where, ssh: { ...ssh, knownHosts: `${ssh.knownHosts}${renewed}` } };
}
