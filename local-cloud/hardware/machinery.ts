import { type Instance, nameOf } from '../instance.ts';
import type {
  FirewallPolicy,
  LoadBalancerSpec,
  Machinery,
  ServerSpec,
  VolumeSpec,
} from '../machinery.ts';
import { healthOf } from './balancer-state.ts';
import { Balancers } from './balancers.ts';
import { type DesiredServer, Ledger } from './ledger.ts';
import { createRouter } from './namespace.ts';
import { Turns } from './turns.ts';
import {
  bringUp,
  type Hardware,
  type HardwareStatus,
  ledgerFile,
  look,
  type Platform,
  placeBalancers,
  power,
  tearDown,
} from './upkeep.ts';
import { createVolumes } from './volumes.ts';
import { type ServerEvent, watchServers } from './watch.ts';

/** `Machinery` with real containers, a network namespace, loop devices and HAProxy. */
export function createMachinery(instance: Instance, log: (line: string) => void): LinuxMachinery {
  return new LinuxMachinery({
    instance,
    log,
    ledger: new Ledger(ledgerFile(instance)),
    router: createRouter(instance),
    volumes: createVolumes(instance),
    balancers: new Balancers(instance),
    turns: new Turns(),
  });
}

export class LinuxMachinery implements Machinery {
  readonly #hardware: Hardware;
  #platform: Promise<Platform> | undefined;

  constructor(hardware: Hardware) {
    this.#hardware = hardware;
  }

  /** Brings the instance up as it was last asked for; every other call does so by itself. */
  async up(): Promise<void> {
    await this.#hardware.turns.take('up', () => {
      this.#platform = bringUp(this.#hardware);
      return this.#platform;
    });
  }

  /** Leaves nothing of the instance on the machine. End every `watch` first: it repairs. */
  async down(): Promise<void> {
    await tearDown(this.#hardware);
    this.#platform = undefined;
  }

  status(): Promise<HardwareStatus> {
    return look(this.#hardware);
  }

  /**
   * Keeps the instance in repair until aborted: plugs servers in again that restarted,
   * switches those on again that rebooted, starts an engine of ours that died.
   */
  async watch(signal: AbortSignal): Promise<void> {
    const { engine } = await this.#ready();
    const { instance, log } = this.#hardware;
    const onFailure = (error: unknown) => log(`repair failed: ${String(error)}`);
    const handlers = {
      onEvent: (event: ServerEvent) => void this.#react(event).catch(onFailure),
      onGap: () => this.up().catch(onFailure),
    };
    await watchServers(instance, engine, handlers, signal);
  }

  createServer(server: ServerSpec): Promise<void> {
    return this.#inTurn(`server ${server.id}`, async ({ servers, image }) => {
      await this.#hardware.ledger.change(({ servers: known }) => {
        const { id, name, publicIp } = server;
        const privateIp = known[id]?.privateIp ?? null;
        known[id] = { id, name, publicIp, privateIp, running: true };
      });
      await servers.create(server, image);
      await power(this.#hardware, servers, await this.#server(server.id));
    });
  }

  startServer(id: number): Promise<void> {
    return this.#withServer(id, async (server, { servers }) => {
      await this.#note(server, { running: true });
      await power(this.#hardware, servers, server);
    });
  }

  stopServer(id: number): Promise<void> {
    return this.#withServer(id, async (server, { servers }) => {
      await this.#note(server, { running: false });
      await servers.stop(server);
    });
  }

  deleteServer(id: number): Promise<void> {
    return this.#inTurn(`server ${id}`, async ({ servers }) => {
      const { ledger, router } = this.#hardware;
      const server = (await ledger.read()).servers[id];
      if (!server) return;
      await this.#note(server, { running: false });
      await servers.delete(server);
      if (server.publicIp) await router.routePublic(server.publicIp, false);
      await ledger.change((desired) => {
        delete desired.servers[id];
        for (const volume of Object.values(desired.volumes)) {
          if (volume.serverId === id) volume.serverId = null;
        }
      });
    });
  }

  setPrivateAddress(id: number, ip: string | null): Promise<void> {
    return this.#withServer(id, async (server, { servers }) => {
      await this.#note(server, { privateIp: ip });
      await servers.plug(server, (await this.#hardware.ledger.read()).network);
    });
  }

  createVolume(volume: VolumeSpec): Promise<void> {
    return this.#hardware.turns.take(`volume ${volume.id}`, async () => {
      await this.#hardware.ledger.change(({ volumes }) => {
        volumes[volume.id] ??= { id: volume.id, serverId: null };
      });
      await this.#hardware.volumes.create(volume);
    });
  }

  resizeVolume(id: number, sizeGb: number): Promise<void> {
    return this.#hardware.turns.take(`volume ${id}`, () =>
      this.#hardware.volumes.resize(id, sizeGb),
    );
  }

  async deleteVolume(id: number): Promise<void> {
    await this.detachVolume(id);
    await this.#hardware.turns.take(`volume ${id}`, async () => {
      await this.#hardware.volumes.delete(id);
      await this.#hardware.ledger.change(({ volumes }) => {
        delete volumes[id];
      });
    });
  }

  async attachVolume(id: number, serverId: number): Promise<void> {
    const { ledger, volumes } = this.#hardware;
    const holder = (await ledger.read()).volumes[id]?.serverId;
    if (holder !== null && holder !== serverId) await this.detachVolume(id);
    await this.#withServer(serverId, async (server, { servers }) => {
      await ledger.change(({ volumes: known }) => {
        known[id] = { id, serverId };
      });
      await servers.attach(server, { id, device: await volumes.device(id) });
    });
  }

  async detachVolume(id: number): Promise<void> {
    const { ledger, volumes } = this.#hardware;
    const holder = (await ledger.read()).volumes[id]?.serverId;
    if (holder === undefined || holder === null) return;
    await this.#withServer(holder, async (server, { servers }) => {
      await servers.detach(server, { id, device: await volumes.device(id) });
      await ledger.change(({ volumes: known }) => {
        known[id] = { id, serverId: null };
      });
    });
  }

  setPrivateNetwork(cidr: string | null): Promise<void> {
    return this.#inTurn('network', async ({ servers }) => {
      const { ledger } = this.#hardware;
      await ledger.change((desired) => {
        desired.network = cidr;
      });
      await placeBalancers(this.#hardware);
      for (const server of Object.values((await ledger.read()).servers)) {
        await this.#hardware.turns.take(`server ${server.id}`, () => servers.plug(server, cidr));
      }
    });
  }

  setFirewalls(policies: FirewallPolicy[]): Promise<void> {
    return this.#inTurn('network', async () => {
      await this.#hardware.ledger.change((desired) => {
        desired.firewalls = policies;
      });
      await this.#hardware.router.setFirewalls(policies);
    });
  }

  setLoadBalancers(balancers: LoadBalancerSpec[]): Promise<void> {
    return this.#inTurn('network', async () => {
      await this.#hardware.ledger.change((desired) => {
        desired.balancers = balancers;
      });
      await placeBalancers(this.#hardware);
    });
  }

  async targetHealth(balancerId: number) {
    const { ledger, balancers } = this.#hardware;
    const balancer = (await ledger.read()).balancers.find(({ id }) => id === balancerId);
    return balancer ? healthOf(balancer, await balancers.statistics()) : {};
  }

  async #react({ serverId, event }: ServerEvent): Promise<void> {
    await this.#inTurn(`server ${serverId}`, async ({ servers }) => {
      const server = (await this.#hardware.ledger.read()).servers[serverId];
      if (!server || event === 'died') return;
      if (event === 'rebooted' && !server.running) return;
      if (await servers.isPowered(server)) return; // we started it ourselves
      this.#hardware.log(`${nameOf(this.#hardware.instance)}: ${server.name} ${event}`);
      await power(this.#hardware, servers, server);
    });
  }

  /** Up, once per process; a failed attempt is made again by the next call. */
  #ready(): Promise<Platform> {
    if (!this.#platform) {
      const attempt = bringUp(this.#hardware);
      this.#platform = attempt;
      attempt.catch(() => {
        if (this.#platform === attempt) this.#platform = undefined;
      });
    }
    return this.#platform;
  }

  #withServer(id: number, work: (server: DesiredServer, platform: Platform) => Promise<void>) {
    return this.#inTurn(`server ${id}`, async (platform) => {
      await work(await this.#server(id), platform);
    });
  }

  /** Up first, as that takes turns itself. */
  async #inTurn(key: string, work: (platform: Platform) => Promise<void>): Promise<void> {
    const platform = await this.#ready();
    await this.#hardware.turns.take(key, () => work(platform));
  }

  async #server(id: number): Promise<DesiredServer> {
    const server = (await this.#hardware.ledger.read()).servers[id];
    if (!server) throw new Error(`there is no server ${id}: create it first`);
    return server;
  }

  /** Changes a server's entry in place, so that `server` itself shows the change. */
  async #note(server: DesiredServer, change: Partial<DesiredServer>): Promise<void> {
    await this.#hardware.ledger.change(() => {
      Object.assign(server, change);
    });
  }
}
