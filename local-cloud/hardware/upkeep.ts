import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Instance } from '../instance.ts';
import { healthOf, type TargetHealth } from './balancer-state.ts';
import type { Balancers } from './balancers.ts';
import { type Engine, ensureEngine, findEngine, removeOwnEngine } from './engine.ts';
import { ensureServerImage, removeServerImages } from './image.ts';
import type { DesiredServer, Ledger } from './ledger.ts';
import type { Router } from './namespace.ts';
import { type AttachedVolume, Servers } from './servers.ts';
import type { Turns } from './turns.ts';
import type { Volumes } from './volumes.ts';

/** All that an instance consists of, whether it is up or not. */
export interface Hardware {
  instance: Instance;
  log: (line: string) => void;
  ledger: Ledger;
  router: Router;
  volumes: Volumes;
  balancers: Balancers;
  /** One at a time per "server <id>", "volume <id>" and "network". */
  turns: Turns;
}

/** What is there once it is up. */
export interface Platform {
  engine: Engine;
  servers: Servers;
  /** Image that new servers boot from. */
  image: string;
}

/** What `local-cloud status` shows. */
export interface HardwareStatus {
  engine: 'own' | 'foreign' | 'none';
  router: boolean;
  servers: (DesiredServer & { pid: number | null })[];
  volumes: { id: number; serverId: number | null }[];
  balancers: { name: string; publicIp: string; health: Record<string, TargetHealth> }[];
}

/** Brings everything to what the ledger says; repairs what a crash or a reboot broke. */
export async function bringUp(hardware: Hardware): Promise<Platform> {
  const { instance, ledger, router, balancers, turns, log } = hardware;
  const desired = await ledger.read();
  await turns.take('network', async () => {
    // HAProxy keeps the namespace that it started with: with a new one it must start anew.
    if (await router.up()) await balancers.stop();
    await router.setFirewalls(desired.firewalls);
    await placeBalancers(hardware);
  });
  const engine = await ensureEngine(instance, log);
  const image = await ensureServerImage(instance, engine, log);
  const servers = new Servers(instance, engine);
  for (const server of Object.values(desired.servers)) {
    await turns.take(`server ${server.id}`, async () => {
      if (server.running && (await servers.exists(server))) await power(hardware, servers, server);
    });
  }
  return { engine, servers, image };
}

/** The private side of the router and HAProxy, as the ledger says. */
export async function placeBalancers({ ledger, router, balancers }: Hardware): Promise<void> {
  const desired = await ledger.read();
  const legs = desired.balancers.flatMap((balancer) => balancer.privateIp ?? []);
  await router.setPrivateSide(desired.network, legs);
  await balancers.apply(desired.balancers);
}

/** A server switched on, with everything plugged in. */
export async function power(hardware: Hardware, servers: Servers, server: DesiredServer) {
  const { network } = await hardware.ledger.read();
  if (server.publicIp) await hardware.router.routePublic(server.publicIp, true);
  await servers.start(server, network, await volumesOf(hardware, server.id));
}

async function volumesOf(hardware: Hardware, serverId: number): Promise<AttachedVolume[]> {
  const { volumes } = await hardware.ledger.read();
  const attached = Object.values(volumes).filter((volume) => volume.serverId === serverId);
  return Promise.all(
    attached.map(async ({ id }) => ({ id, device: await hardware.volumes.device(id) })),
  );
}

/** Removes all of the instance from the machine, also after a crash of any part. */
export async function tearDown(hardware: Hardware): Promise<void> {
  const { instance, log } = hardware;
  await hardware.balancers.stop();
  const engine = (await findEngine(instance)) ?? (await reviveEngine(hardware));
  if (engine) {
    await new Servers(instance, engine).down();
    if (!engine.own) await removeServerImages(instance, engine);
  }
  await hardware.volumes.down();
  await hardware.router.down();
  log('removing our own Docker daemon and its data, if any');
  await removeOwnEngine(instance);
  await rm(ledgerFile(instance), { force: true });
}

export function ledgerFile(instance: Instance): string {
  return join(instance.stateDirectory, 'hardware.json');
}

/** Looks, and changes nothing. */
export async function look(hardware: Hardware): Promise<HardwareStatus> {
  const desired = await hardware.ledger.read();
  const engine = await findEngine(hardware.instance);
  const servers = engine ? new Servers(hardware.instance, engine) : null;
  const statistics = await hardware.balancers.statistics().catch(() => '');
  return {
    engine: engine ? (engine.own ? 'own' : 'foreign') : 'none',
    router: await hardware.router.exists(),
    servers: await Promise.all(
      Object.values(desired.servers).map(async (server) => ({
        ...server,
        pid: servers ? await servers.pid(server) : null,
      })),
    ),
    volumes: Object.values(desired.volumes),
    balancers: desired.balancers.map((balancer) => ({
      name: balancer.name,
      publicIp: balancer.publicIp,
      health: healthOf(balancer, statistics),
    })),
  };
}

/** Containers outlive a killed engine: started once more, it ends and forgets them. */
async function reviveEngine({ instance, log }: Hardware): Promise<Engine | null> {
  const leftOver = await stat(join(instance.stateDirectory, 'docker')).catch(() => null);
  return leftOver ? ensureEngine(instance, log) : null;
}
