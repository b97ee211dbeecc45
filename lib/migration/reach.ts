import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Inventory, serversOf } from '../inventory/inventory.ts';
import { destinationOf } from '../release/connect.ts';
import { Host } from '../release/host.ts';
import { SshPool } from '../ssh/pool.ts';
import type { World } from './migration.ts';
import { MigrationRefused } from './refused.ts';

/**
 * Connects to the database server and gives a folder of our own; both are gone after the work.
 * Application servers are connected when they are first asked for: with nothing to apply, never.
 *
 * @throws MigrationRefused when there is no database server, and the SSH errors.
 */
export async function reach<T>(
  inventory: Inventory,
  privateKey: string,
  below: string,
  work: (places: Pick<World, 'environment' | 'server' | 'hosts' | 'temp'>) => Promise<T>,
): Promise<T> {
  const [database] = serversOf(inventory, 'database');
  if (!database) {
    throw new MigrationRefused('The Terraform outputs name no server of role database.');
  }
  const { ssh, hosts } = destinationOf(inventory, privateKey);
  const pool = new SshPool(ssh);
  const temp = mkdtempSync(join(below, 'compta-migrate-'));
  chmodSync(temp, 0o700);
  try {
    const server = await pool.connect(database.privateIp, database.name);
    const applications = hosts.map(
      ({ name, address }) => new Host(name, address, () => pool.connect(address, name)),
    );
    const connected = async () => {
      await Promise.all(hosts.map(({ name, address }) => pool.connect(address, name)));
      return applications;
    };
    const { environment } = inventory;
    return await work({ environment, server, hosts: connected, temp });
  } finally {
    await pool.close();
    rmSync(temp, { recursive: true, force: true });
  }
}
