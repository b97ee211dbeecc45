import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../../lib/process/run.ts';
import { macAddress, networkGateway, PUBLIC_GATEWAY } from './addresses.ts';
import { ipBatch } from './namespace.ts';

/** A running container's interfaces, given to it from outside: Docker gives it none. */
export interface Plumbing {
  /** The router's namespace. */
  namespace: string;
  /** Process id of the container's init: the door to its network namespace. */
  pid: number;
  serverId: number;
}

/** eth0: the public /32 with the gateway on-link, as Hetzner's images have it. */
export async function plugPublic(plumbing: Plumbing, address: string): Promise<void> {
  await plug(plumbing, 'eth0');
  await insideServer(plumbing, [
    `address replace ${address}/32 dev eth0`,
    `route replace ${PUBLIC_GATEWAY}/32 dev eth0`,
    `route replace default via ${PUBLIC_GATEWAY} dev eth0`,
  ]);
}

/** ens10: the leg in the private network; all its traffic goes by the network's gateway. */
export async function plugPrivate(plumbing: Plumbing, address: string, network: string) {
  const gateway = networkGateway(network);
  await plug(plumbing, 'ens10');
  await insideServer(plumbing, [
    'address flush dev ens10 scope global',
    `address replace ${address}/32 dev ens10`,
    `route replace ${gateway}/32 dev ens10`,
    `route replace ${network} via ${gateway} dev ens10`,
  ]);
  // The router may have learned meanwhile that nobody answers at this address.
  await ipBatch(plumbing.namespace, [`neighbour flush to ${address} dev priv0`]);
}

/** Pulls ens10 out. */
export async function unplugPrivate(plumbing: Plumbing): Promise<void> {
  if (await has(plumbing, 'ens10')) await insideServer(plumbing, ['link delete ens10']);
}

async function plug(plumbing: Plumbing, name: 'eth0' | 'ens10'): Promise<void> {
  const { namespace, pid, serverId } = plumbing;
  const isPublic = name === 'eth0';
  const port = `${isPublic ? 'pub' : 'priv'}-${serverId}`;
  if (!(await has(plumbing, name))) {
    // After a restart the kernel may not have cleared the former pair away yet.
    const argv = ['ip', '-n', namespace, 'link', 'delete', port];
    await run(argv, { allowedExitCodes: [0, 1] });
    const mac = macAddress(isPublic ? '96:00' : '86:00', serverId);
    await ipBatch(namespace, [
      `link add ${port} type veth peer name ${name} address ${mac} netns ${pid}`,
    ]);
  }
  await ipBatch(namespace, [
    `link set ${port} master ${isPublic ? 'pub0' : 'priv0'}`,
    `link set ${port} type bridge_slave isolated on`,
    `link set ${port} up`,
  ]);
  await insideServer(plumbing, ['link set lo up', `link set ${name} up`]);
  await operational(enter(plumbing), name);
  await operational(['nsenter', `--net=/run/netns/${namespace}`], port);
}

/** Waits for the kernel to open an interface: for up to a second it drops what comes. */
async function operational(inside: readonly string[], name: string): Promise<void> {
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; await sleep(20)) {
    const { stdout } = await run([...inside, 'ip', '-j', 'link', 'show', name]);
    const [link] = JSON.parse(stdout) as { operstate?: string }[];
    if (link?.operstate === 'UP') return;
  }
  throw new Error(`the interface ${name} did not come up within 30 s`);
}

async function has(plumbing: Plumbing, name: string): Promise<boolean> {
  const argv = [...enter(plumbing), 'ip', 'link', 'show', name];
  return (await run(argv, { allowedExitCodes: [0, 1] })).exitCode === 0;
}

async function insideServer(plumbing: Plumbing, lines: string[]): Promise<void> {
  await run([...enter(plumbing), 'ip', '-batch', '-'], { input: `${lines.join('\n')}\n` });
}

function enter(plumbing: Plumbing): string[] {
  return ['nsenter', '--target', String(plumbing.pid), '--net'];
}
