import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Inventory, parseTerraformOutputs } from '../../../lib/inventory/inventory.ts';
import { run } from '../../../lib/process/run.ts';
import { keyPair } from '../../../lib/ssh/key-pair.ts';
import { cacheDirectory } from '../../../local-cloud/claim.ts';
import { docker, findEngine } from '../../../local-cloud/hardware/engine.ts';
import { createMachinery } from '../../../local-cloud/hardware/machinery.ts';
import { startHetznerApi } from '../../../local-cloud/hetzner/server.ts';
import { gatewayAddress, type Instance, loopback, nameOf } from '../../../local-cloud/instance.ts';
import { serverVariables } from '../../../local-cloud/runner-files.ts';
import { filesAddress, serveFiles } from '../../../local-cloud/services/files.ts';
import { copyOfTheCode } from '../../terraform/test/terraform.ts';
import { type AnsibleCode, copyOfAnsible } from './code.ts';

const TOKEN = 't'.repeat(64);

/** Servers that Terraform has just ordered, and nothing has configured. */
export interface Servers {
  inventory: Inventory;
  /** What `terraform output -json` says of them. */
  outputs: unknown;
  privateKey: string;
  /** What configures them. */
  ansible: AnsibleCode;
  hetzner: { url: string; token: string };
  /** Mirrors and sizes, as extra variables for Ansible. */
  variables: Record<string, unknown>;
  /** Runs a command as root, as from the server's console. @returns what it printed */
  console(server: string, argv: readonly string[]): Promise<string>;
  /** Runs a program of this machine in a server's network. @returns what it printed */
  inNetworkOf(server: string, argv: readonly string[]): Promise<string>;
  /** Takes what changed at Hetzner into the state; `outputs` and `inventory` are those of then. */
  refresh(): Promise<void>;
  /** Exit code of a plan: 0 when it would change nothing. */
  plan(): Promise<number>;
  /** Takes the cloud's firewall off every public address: what is left is the servers' own. */
  openFirewall(): Promise<void>;
  remove(): Promise<void>;
}

/**
 * Orders staging's shape from a cloud of this test's own. What a run of the same number that was
 * killed has left is taken away first.
 *
 * @param number of the instance: far from those that checkouts claim, lowest first
 * @param names  of the servers that are wanted
 * @throws Error when another run has servers of that number
 */
export async function orderServers(number: number, names: readonly string[]): Promise<Servers> {
  const stateDirectory = join(tmpdir(), `compta-roles-${number}`);
  const undo: (() => unknown)[] = [];
  const remove = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    return await ordered({ number, stateDirectory }, names, undo, remove);
  } catch (error) {
    await remove();
    throw error;
  }
}

/** @param undo gets what has to be done to remove what was made, last thing first */
async function ordered(
  instance: Instance,
  names: readonly string[],
  undo: (() => unknown)[],
  remove: () => Promise<void>,
): Promise<Servers> {
  const { stateDirectory } = instance;
  undo.push(await claim(instance));
  undo.push(() => rmSync(stateDirectory, { recursive: true, force: true }));
  await createMachinery(instance, () => {}).down();
  rmSync(stateDirectory, { recursive: true, force: true });
  mkdirSync(stateDirectory, { mode: 0o700 });

  const ansible = await copyOfAnsible();
  undo.push(() => ansible.remove());
  const machinery = createMachinery(instance, () => {});
  undo.push(() => machinery.down());
  await machinery.up();
  const watching = new AbortController();
  const watched = machinery.watch(watching.signal);
  undo.push(() => {
    watching.abort();
    return watched;
  });
  const mirror = await serveFiles(filesAddress(instance), {
    apt: join(cacheDirectory(), 'apt-repo'),
    bin: join(cacheDirectory(), 'bin'),
  });
  undo.push(() => mirror.close());
  const api = await startHetznerApi({
    instance,
    machinery,
    worldFile: join(stateDirectory, 'world.json'),
    token: TOKEN,
    listen: { host: loopback(instance, 1), port: 0 },
  });
  undo.push(() => api.close());
  const key = keyPair();
  const container = (server: string) => `${nameOf(instance)}-${server}`;
  const inEngine = async (argv: readonly string[]) => {
    const engine = await findEngine(instance);
    if (!engine) throw new Error('no engine answers');
    return (await docker(engine, argv)).stdout;
  };
  const terraform = await terraformed(api.url, instance, key.public, names);
  undo.push(() => terraform.remove());
  const outputs = await terraform.apply();
  const servers: Servers = {
    inventory: parseTerraformOutputs(outputs),
    outputs,
    privateKey: key.private,
    ansible,
    hetzner: { url: api.url, token: TOKEN },
    variables: serverVariables(instance),
    console: (server, argv) => inEngine(['exec', container(server), ...argv]),
    inNetworkOf: async (server, argv) => {
      const pid = (
        await inEngine(['inspect', '--format={{.State.Pid}}', container(server)])
      ).trim();
      return (await run(['nsenter', '--net', `--target=${pid}`, ...argv])).stdout;
    },
    async refresh() {
      servers.outputs = await terraform.apply('-refresh-only');
      servers.inventory = parseTerraformOutputs(servers.outputs);
    },
    plan: terraform.plan,
    openFirewall: () => machinery.setFirewalls([]),
    remove,
  };
  return servers;
}

/** A port that is free again with the process that has it. @returns what frees it before */
async function claim(instance: Instance): Promise<() => void> {
  const held = createServer().listen({ host: loopback(instance, 9), port: 9 });
  try {
    await once(held, 'listening');
  } catch (cause) {
    const other = `Another run has the servers of instance ${instance.number}: wait for its end.`;
    throw new Error(other, { cause });
  }
  return () => held.close();
}

/** Staging's own servers, which are the first four, and what else it may be given. */
const OFFERED = {
  'staging-bastion-1': { role: 'bastion', private_ip: '10.0.1.2' },
  'staging-db-1': { role: 'database', private_ip: '10.0.1.11', volume_gb: 10 },
  'staging-app-1': { role: 'application', private_ip: '10.0.1.21' },
  'staging-app-2': { role: 'application', private_ip: '10.0.1.22' },
  'staging-app-3': { role: 'application', private_ip: '10.0.1.23' },
  'staging-app-4': { role: 'application', private_ip: '10.0.1.24' },
  'staging-app-5': { role: 'application', private_ip: '10.0.1.25' },
  'staging-app-6': { role: 'application', private_ip: '10.0.1.26' },
  'staging-monitoring-1': { role: 'monitoring', private_ip: '10.0.1.31' },
};
export const EIGHT_SERVERS = Object.keys(OFFERED).slice(0, 8);
export const STAGING_SERVERS = EIGHT_SERVERS.slice(0, 4);
/** As many of each role as production has. */
export const PRODUCTION_SERVERS = [...STAGING_SERVERS, 'staging-monitoring-1'];

async function terraformed(
  url: string,
  instance: Instance,
  publicKey: string,
  names: readonly string[],
) {
  const wanted = Object.fromEntries(
    Object.entries(OFFERED).filter(([name]) => names.includes(name)),
  );
  const code = copyOfTheCode();
  const terraform = code.terraform('environments/staging', {
    HCLOUD_ENDPOINT: url,
    HCLOUD_TOKEN: TOKEN,
  });
  terraform.settleHere();
  const variables = [
    `-var=authorized_keys=${JSON.stringify({ ci: publicKey })}`,
    `-var=admin_cidrs=["${gatewayAddress(instance)}/32"]`,
    `-var=servers=${JSON.stringify(wanted)}`,
  ];
  await terraform.init('-lockfile=readonly');
  return {
    /** @returns the outputs */
    async apply(...options: string[]): Promise<unknown> {
      const { code: exitCode, output } = await terraform.apply(...options, ...variables);
      if (exitCode !== 0) throw new Error(`terraform apply: ${output}`);
      return await terraform.outputs();
    },
    plan: async () => (await terraform.plan(...variables)).code,
    remove: () => code.remove(),
  };
}
