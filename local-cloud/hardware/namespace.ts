import { readdir } from 'node:fs/promises';
import { run } from '../../lib/process/run.ts';
import { gatewayAddress, type Instance, nameOf, publicSubnet } from '../instance.ts';
import type { FirewallPolicy } from '../machinery.ts';
import { networkGateway, PUBLIC_GATEWAY, routerAddress } from './addresses.ts';
import { filterRuleset, masqueradeRuleset } from './firewall.ts';
import { enableForwarding, restoreForwarding } from './forwarding.ts';

/**
 * The cloud's router: a network namespace with a bridge for the public side, one for the
 * private side and an uplink to the host.
 *
 * The host has a route to the public side only. Bridge ports are isolated from each other,
 * so that every packet between servers passes the router, as at Hetzner.
 */
export interface Router {
  /** True when the namespace had to be made: what held the former one must start anew. */
  up(): Promise<boolean>;
  down(): Promise<void>;
  exists(): Promise<boolean>;
  setFirewalls(policies: readonly FirewallPolicy[]): Promise<void>;
  /** Gives the router its legs in the private network: the gateway and the balancers' addresses. */
  setPrivateSide(network: string | null, balancerAddresses: readonly string[]): Promise<void>;
  /** The way to a server's public address, or its end. */
  routePublic(address: string, present: boolean): Promise<void>;
}

/** The name under which HAProxy, inside the router, finds the host's own namespace. */
export function hostNamespace(instance: Instance): string {
  return `${nameOf(instance)}-host`;
}

export function createRouter(instance: Instance): Router {
  const name = nameOf(instance);
  const host = hostNamespace(instance);
  const exists = () => isNamed(name);

  async function up(): Promise<boolean> {
    const isNew = !(await isAlive(name));
    if (isNew) {
      // A name without a namespace behind it is what a kill between the two steps leaves.
      if (await exists()) await run(['ip', 'netns', 'delete', name]);
      await run(['ip', 'netns', 'add', name]);
    }
    if (!(await isAlive(host))) {
      if (await isNamed(host)) await run(['ip', 'netns', 'delete', host]);
      await run(['ip', 'netns', 'attach', host, String(process.pid)]);
    }
    // No redirects: they would send servers past the router, where isolated ports end.
    const switches = ['ip_forward=1', 'conf.all.send_redirects=0', 'conf.default.send_redirects=0'];
    await inside(name, ['sysctl', '-q', '-w', ...switches.map((s) => `net.ipv4.${s}`)]);
    for (const bridge of ['pub0', 'priv0']) {
      if (!(await hasLink(name, bridge))) await ip(name, ['link', 'add', bridge, 'type', 'bridge']);
    }
    if (!(await hasLink(name, 'up0'))) await addUplink(name);
    await ipBatch(name, [
      'link set lo up',
      // Left to itself a bridge takes the lowest of its ports' addresses, and changes it
      // under the servers that know their gateway by it whenever a port comes or goes.
      'link set pub0 address 02:00:00:00:00:01',
      'link set priv0 address 02:00:00:00:00:02',
      'link set pub0 up',
      'link set priv0 up',
      'link set up0 up',
      `address replace ${PUBLIC_GATEWAY}/32 dev pub0`,
      `address replace ${routerAddress(instance)}/32 dev up0`,
      `route replace ${gatewayAddress(instance)}/32 dev up0`,
      `route replace default via ${gatewayAddress(instance)} dev up0`,
    ]);
    await ipBatch(null, [
      `link set ${name} up`,
      `address replace ${gatewayAddress(instance)}/32 dev ${name}`,
      `route replace ${routerAddress(instance)}/32 dev ${name} src ${gatewayAddress(instance)}`,
      `route replace ${publicSubnet(instance)} via ${routerAddress(instance)} dev ${name}` +
        ` src ${gatewayAddress(instance)}`,
    ]);
    await run(['nft', '-f', '-'], { input: masqueradeRuleset(name, publicSubnet(instance)) });
    await enableForwarding();
    return isNew;
  }

  async function down(): Promise<void> {
    if (await hasLink(null, name)) await run(['ip', 'link', 'delete', name]);
    for (const namespace of [name, host]) {
      if (await isNamed(namespace)) await run(['ip', 'netns', 'delete', namespace]);
    }
    // Made before it is deleted, as in the rulesets: `destroy` needs a newer nft.
    await run(['nft', '-f', '-'], { input: `table ip ${name}\ndelete table ip ${name}\n` });
    await restoreForwarding();
  }

  return {
    up,
    down,
    exists,
    async setFirewalls(policies) {
      const ruleset = filterRuleset(routerAddress(instance), publicSubnet(instance), policies);
      await inside(name, ['nft', '-f', '-'], ruleset);
    },
    async setPrivateSide(network, balancerAddresses) {
      const wanted = new Set(balancerAddresses.map((address) => `${address}/32`));
      if (network !== null) wanted.add(`${networkGateway(network)}/${network.split('/')[1]}`);
      const present = await addressesOf(name, 'priv0');
      await ipBatch(name, [
        ...present.filter((a) => !wanted.has(a)).map((a) => `address delete ${a} dev priv0`),
        ...[...wanted].map((address) => `address replace ${address} dev priv0`),
      ]);
    },
    async routePublic(address, present) {
      await ipBatch(
        name,
        present
          ? [`route replace ${address}/32 dev pub0`]
          : [`route replace ${address}/32 dev pub0`, `route delete ${address}/32 dev pub0`],
      );
    },
  };
}

/** Runs a command in a named network namespace. */
export function inside(namespace: string, argv: readonly string[], input?: string) {
  return run(['ip', 'netns', 'exec', namespace, ...argv], input === undefined ? {} : { input });
}

function ip(namespace: string, args: readonly string[]) {
  return run(['ip', '-n', namespace, ...args]);
}

/** Several `ip` commands in one process; `null` is the host's own namespace. */
export async function ipBatch(namespace: string | null, lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return;
  const where = namespace === null ? [] : ['-n', namespace];
  await run(['ip', ...where, '-batch', '-'], { input: `${lines.join('\n')}\n` });
}

async function hasLink(namespace: string | null, link: string): Promise<boolean> {
  const where = namespace === null ? [] : ['-n', namespace];
  const result = await run(['ip', ...where, 'link', 'show', link], { allowedExitCodes: [0, 1] });
  return result.exitCode === 0;
}

async function isNamed(namespace: string): Promise<boolean> {
  return (await readdir('/run/netns').catch((): string[] => [])).includes(namespace);
}

async function isAlive(namespace: string): Promise<boolean> {
  const result = await run(['ip', '-n', namespace, 'link', 'show', 'lo'], {
    allowedExitCodes: [0, 1, 255],
  });
  return result.exitCode === 0;
}

/** The two ends are one object: a former host end without its peer cannot be left over. */
async function addUplink(namespace: string): Promise<void> {
  // Of a namespace that was just deleted it goes by itself, a moment later: maybe in between.
  await run(['ip', 'link', 'delete', namespace], { allowedExitCodes: [0, 1] });
  const peer = ['peer', 'name', 'up0', 'netns', namespace];
  await run(['ip', 'link', 'add', namespace, 'type', 'veth', ...peer]);
}

async function addressesOf(namespace: string, link: string): Promise<string[]> {
  const { stdout } = await ip(namespace, ['-j', '-4', 'address', 'show', link]);
  type Link = { addr_info?: { local: string; prefixlen: number }[] };
  const links = JSON.parse(stdout || '[]') as Link[];
  return links.flatMap((l) => (l.addr_info ?? []).map((a) => `${a.local}/${a.prefixlen}`));
}
