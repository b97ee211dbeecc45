import type { HetznerApi } from '../hetzner/api.ts';
import { knownHost } from './formats.ts';
import type { Inventory } from './inventory.ts';

/** Every ed25519 key begins so; Terraform and the play leave it out of the label. */
const PREFIX = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI';
/** The one that sshd offers, and while it is being renewed the one that it will offer. */
const LABELS = ['host-key', 'host-key-next'];

/**
 * The host keys that the servers' own labels tell and the Terraform outputs do not, as lines of
 * known_hosts: of a renewal that nobody has taken into the state yet, or that was interrupted.
 */
export async function labelledHostKeys(inventory: Inventory, api: HetznerApi): Promise<string> {
  const lines = inventory.servers.map(async (server) => {
    const labels = (await api.byName('servers', server.name))?.labels ?? {};
    const keys = LABELS.flatMap((label) => hostKeyIn(labels[label] ?? '') ?? []);
    return [...new Set(keys)]
      .filter((key) => key !== server.hostKey)
      .map((key) => knownHost(inventory, server, key));
  });
  return (await Promise.all(lines)).flat().join('');
}

/** The public key that a label's value tells; undefined for a value that is none. */
export function hostKeyIn(label: string): string | undefined {
  const [, key] = /^k([\w-]{43})k$/.exec(label) ?? [];
  return key && `${PREFIX}${key.replaceAll('-', '+').replaceAll('_', '/')}`;
}
