import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Inventory, parseTerraformOutputs } from '../../../lib/inventory/inventory.ts';
import { run } from '../../../lib/process/run.ts';
import { keyPair } from '../../../lib/ssh/test/server.ts';
import { cacheDirectory } from '../../../local-cloud/claim.ts';
import { docker, findEngine } from '../../../local-cloud/hardware/engine.ts';
import { createMachinery } from '../../../local-cloud/hardware/machinery.ts';
import { startHetznerApi } from '../../../local-cloud/hetzner/server.ts';
import { gatewayAddress, type Instance, loopback, nameOf } from '../../../local-cloud/instance.ts';
import { serverVariables } from '../../../local-cloud/runner-files.ts';
import { filesAddress, serveFiles } from '../../../local-cloud/services/files.ts';
import { copyOfTheCode } from '../../terraform/test/terraform.ts';

const TOKEN = 't'.repeat(64);

/** Servers that Terraform has just ordered, and nothing has configured. */
export interface Servers {
  inventory: Inventory;
  /** What `terraform output -json` says of them. */
  outputs: unknown;
  privateKey: string;
  /** Mirrors and sizes, as extra variables for Ansible. */
  variables: Record<string, unknown>;
  /** Runs a command as root, as from the server's console. @returns what it printed */
  console(server: string, argv: readonly string[]): Promise<string>;
  /** Runs a program of this machine in a server's network. @returns what it printed */
  inNetworkOf(server: string, argv: readonly string[]): Promise<string>;
  /** Takes the cloud's firewall off every public address: what is left is the servers' own. */
  openFirewall(): Promise<void>;
  remove(): Promise<void>;
}

/**
 * Orders staging's shape from a cloud of this test's own.
 *
 * @param number of the instance: far from those that checkouts claim, lowest first
 * @param names  of the servers that are wanted
 */
export async function orderServers(number: number, names: readonly string[]): Promise<Servers> {
  const stateDirectory = mkdtempSync(join(tmpdir(), 'compta-roles-'));
  const instance: Instance = { number, stateDirectory };
  const machinery = createMachinery(instance, () => {});
  const watching = new AbortController();
  await machinery.up();
  const watched = machinery.watch(watching.signal);
  const api = await startHetznerApi({
    instance,
    machinery,
    worldFile: join(stateDirectory, 'world.json'),
    token: TOKEN,
    listen: { host: loopback(instance, 1), port: 0 },
  });
  const mirror = await serveFiles(filesAddress(instance), {
    apt: join(cacheDirectory(), 'apt-repo'),
    bin: join(cacheDirectory(), 'bin'),
  });
  const key = keyPair();
  const container = (server: string) => `${nameOf(instance)}-${server}`;
  const inEngine = async (argv: readonly string[]) => {
    const engine = await findEngine(instance);
    if (!engine) throw new Error('no engine answers');
    return (await docker(engine, argv)).stdout;
  };
  const outputs = await applied(api.url, instance, key.public, names);
  return {
    inventory: parseTerraformOutputs(outputs),
    outputs,
    privateKey: key.private,
    variables: serverVariables(instance),
    console: (server, argv) => inEngine(['exec', container(server), ...argv]),
    inNetworkOf: async (server, argv) => {
      const pid = (
        await inEngine(['inspect', '--format={{.State.Pid}}', container(server)])
      ).trim();
      return (await run(['nsenter', '--net', `--target=${pid}`, ...argv])).stdout;
    },
    openFirewall: () => machinery.setFirewalls([]),
    async remove() {
      await api.close();
      await mirror.close();
      watching.abort();
      await watched;
      await machinery.down();
      rmSync(stateDirectory, { recursive: true, force: true });
    },
  };
}

/** Staging's own servers. */
const STAGING = {
  'staging-bastion-1': { role: 'bastion', private_ip: '10.0.1.2' },
  'staging-db-1': { role: 'database', private_ip: '10.0.1.11', volume_gb: 10 },
  'staging-app-1': { role: 'application', private_ip: '10.0.1.21' },
  'staging-app-2': { role: 'application', private_ip: '10.0.1.22' },
};
export const STAGING_SERVERS = Object.keys(STAGING);

async function applied(
  url: string,
  instance: Instance,
  publicKey: string,
  names: readonly string[],
): Promise<unknown> {
  const wanted = Object.fromEntries(
    Object.entries(STAGING).filter(([name]) => names.includes(name)),
  );
  const code = copyOfTheCode();
  try {
    const environment = { HCLOUD_ENDPOINT: url, HCLOUD_TOKEN: TOKEN };
    const terraform = code.terraform('environments/staging', environment);
    terraform.settleHere();
    await terraform.init('-lockfile=readonly');
    const { code: exitCode, output } = await terraform.apply(
      `-var=authorized_keys=${JSON.stringify({ ci: publicKey })}`,
      `-var=admin_cidrs=["${gatewayAddress(instance)}/32"]`,
      `-var=servers=${JSON.stringify(wanted)}`,
    );
    if (exitCode !== 0) throw new Error(`terraform apply: ${output}`);
    return await terraform.outputs();
  } finally {
    code.remove();
  }
}
