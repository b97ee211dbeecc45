import { access, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../lib/process/run.ts';
import { type Instance, nameOf } from '../instance.ts';
import type { ServerSpec } from '../machinery.ts';
import {
  containerName,
  createArguments,
  dockerVolume,
  instanceLabel,
  POWERED,
} from './container.ts';
import { docker, type Engine } from './engine.ts';
import type { DesiredServer } from './ledger.ts';
import { plugPrivate, plugPublic, unplugPrivate } from './plumbing.ts';
import { reachableNameServers } from './resolver.ts';
import { writeSeed } from './seed.ts';

/** A volume as its server sees it. */
export interface AttachedVolume {
  id: number;
  /** The loop device's path, the same on the host and in the server. */
  device: string;
}

const SHUTDOWN_SECONDS = 30;

/** Servers as containers with systemd, cloud-init, interfaces and disks. */
export class Servers {
  readonly #instance: Instance;
  readonly #engine: Engine;

  constructor(instance: Instance, engine: Engine) {
    this.#instance = instance;
    this.#engine = engine;
  }

  /** Makes the container, not yet started; one left half-made by a crash is replaced. */
  async create(server: ServerSpec, image: string): Promise<void> {
    const name = containerName(this.#instance, server.name);
    if ((await this.#serverIdOf(name)) === server.id) return;
    await docker(this.#engine, ['rm', '--force', '--volumes', name], { allowedExitCodes: [0, 1] });
    const seedDirectory = this.#seedDirectory(server.id);
    await writeSeed(seedDirectory, {
      instanceId: `${nameOf(this.#instance)}-${server.id}`,
      hostname: server.name,
      sshKeys: server.sshKeys,
      userData: server.userData,
    });
    const volume = dockerVolume(this.#instance, server.id);
    const label = `--label=${instanceLabel(this.#instance)}`;
    await docker(this.#engine, ['volume', 'create', label, volume]);
    const resolvers = await reachableNameServers();
    const argv = createArguments(this.#instance, server, image, seedDirectory, resolvers);
    await docker(this.#engine, argv);
  }

  /** Starts the container if need be, plugs everything in and lets it boot. */
  async start(server: DesiredServer, network: string | null, volumes: readonly AttachedVolume[]) {
    const name = containerName(this.#instance, server.name);
    await docker(this.#engine, ['start', name]);
    await this.plug(server, network);
    for (const volume of volumes) await this.attach(server, volume);
    const pid = await this.pid(server);
    if (pid === null) throw new Error(`server ${server.name} ended before it could boot`);
    await writeFile(`/proc/${pid}/root${POWERED}`, '');
  }

  /** Whether the server was given power, so is plugged in and boots or has booted. */
  async isPowered(server: DesiredServer): Promise<boolean> {
    const pid = await this.pid(server);
    if (pid === null) return false;
    const powered = access(`/proc/${pid}/root${POWERED}`);
    return powered.then(
      () => true,
      () => false,
    );
  }

  /** Whether there is a container; a crash within its creation leaves none. */
  async exists(server: DesiredServer): Promise<boolean> {
    return (await this.#serverIdOf(containerName(this.#instance, server.name))) === server.id;
  }

  /** Interfaces as they should be. Resolves at once for a server that does not run. */
  async plug(server: DesiredServer, network: string | null): Promise<void> {
    const pid = await this.pid(server);
    if (pid === null) return;
    const plumbing = { namespace: nameOf(this.#instance), pid, serverId: server.id };
    if (server.publicIp) await plugPublic(plumbing, server.publicIp);
    if (server.privateIp && network) await plugPrivate(plumbing, server.privateIp, network);
    else await unplugPrivate(plumbing);
  }

  /** Lets a volume's device appear, under the name that udev gives it on a real server. */
  async attach(server: DesiredServer, volume: AttachedVolume): Promise<void> {
    const pid = await this.pid(server);
    if (pid === null) return;
    const minor = /^\/dev\/loop(\d+)$/.exec(volume.device)?.[1];
    if (minor === undefined) throw new Error(`"${volume.device}" is no loop device`);
    const node = `[ -b ${volume.device} ] || mknod -m 660 ${volume.device} b 7 ${minor}`;
    const link = `mkdir -p /dev/disk/by-id && ln -sfn ${volume.device} ${byId(volume.id)}`;
    await insideServer(pid, `${node}\n${link}`);
  }

  /** Pulls a volume out; what is still mounted vanishes, as with a real one. */
  async detach(server: DesiredServer, volume: AttachedVolume): Promise<void> {
    const pid = await this.pid(server);
    if (pid === null) return;
    const mounted = `findmnt --source ${volume.device} > /dev/null`;
    const unmount = `if ${mounted}; then umount --all-targets --lazy ${volume.device}; fi`;
    await insideServer(pid, `${unmount}\nrm -f ${byId(volume.id)} ${volume.device}`);
  }

  /** Asks systemd to shut down; the power is cut after half a minute. */
  async stop(server: DesiredServer): Promise<void> {
    const name = containerName(this.#instance, server.name);
    await docker(this.#engine, ['stop', `--time=${SHUTDOWN_SECONDS}`, name]);
  }

  /** Removes the container, its disks and its seed. */
  async delete(server: DesiredServer): Promise<void> {
    const gone = { allowedExitCodes: [0, 1] };
    const name = containerName(this.#instance, server.name);
    await docker(this.#engine, ['rm', '--force', '--volumes', name], gone);
    const volume = dockerVolume(this.#instance, server.id);
    await docker(this.#engine, ['volume', 'rm', '--force', volume], gone);
    await rm(this.#directory(server.id), { recursive: true, force: true });
  }

  /** Process id of the server's init, or null when it does not run. */
  async pid(server: { name: string }): Promise<number | null> {
    const name = containerName(this.#instance, server.name);
    const argv = ['inspect', '--type=container', '--format={{.State.Pid}}', name];
    const { stdout } = await docker(this.#engine, argv, { allowedExitCodes: [0, 1] });
    return Number(stdout.trim()) || null;
  }

  /** Removes every container and volume of the instance, known or not. */
  async down(): Promise<void> {
    const filter = `--filter=label=${instanceLabel(this.#instance)}`;
    const containers = await this.#list(['ps', '--all', '--quiet', filter]);
    if (containers.length > 0) {
      await docker(this.#engine, ['rm', '--force', '--volumes', ...containers]);
    }
    const volumes = await this.#list(['volume', 'ls', '--quiet', filter]);
    if (volumes.length > 0) await docker(this.#engine, ['volume', 'rm', '--force', ...volumes]);
    await rm(join(this.#instance.stateDirectory, 'servers'), { recursive: true, force: true });
  }

  async #list(argv: string[]): Promise<string[]> {
    const { stdout } = await docker(this.#engine, argv);
    return stdout.split('\n').filter((line) => line !== '');
  }

  async #serverIdOf(container: string): Promise<number | null> {
    const format = '--format={{index .Config.Labels "compta.server"}}';
    const argv = ['inspect', '--type=container', format, container];
    const { exitCode, stdout } = await docker(this.#engine, argv, { allowedExitCodes: [0, 1] });
    return exitCode === 0 ? Number(stdout.trim()) : null;
  }

  #directory(id: number): string {
    return join(this.#instance.stateDirectory, 'servers', String(id));
  }

  #seedDirectory(id: number): string {
    return join(this.#directory(id), 'seed');
  }
}

function byId(volumeId: number): string {
  return `/dev/disk/by-id/scsi-0HC_Volume_${volumeId}`;
}

/** Runs a script with the server's own files and programs, without the detour over the engine. */
async function insideServer(pid: number, script: string): Promise<void> {
  const enter = ['nsenter', '--target', String(pid), '--mount', '--pid'];
  await run([...enter, '/bin/sh', '-ec', script]);
}
