import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { FirewallPolicy, LoadBalancerSpec } from '../machinery.ts';

/** What the hardware should look like: enough to rebuild it after a crash or a reboot. */
export interface Desired {
  network: string | null;
  servers: Record<string, DesiredServer>;
  volumes: Record<string, DesiredVolume>;
  firewalls: FirewallPolicy[];
  balancers: LoadBalancerSpec[];
}

export interface DesiredServer {
  id: number;
  name: string;
  publicIp: string | null;
  privateIp: string | null;
  running: boolean;
}

export interface DesiredVolume {
  id: number;
  serverId: number | null;
}

/** Keeps the desired state on disk; every change is written before it is acted upon. */
export class Ledger {
  readonly #file: string;
  #desired: Desired | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(file: string) {
    this.#file = file;
  }

  /** @throws Error when the file is there but cannot be read as what we wrote. */
  async read(): Promise<Desired> {
    this.#desired ??= await load(this.#file);
    return this.#desired;
  }

  /** Applies `edit` and resolves once the result is safely on disk. */
  async change(edit: (desired: Desired) => void): Promise<void> {
    const desired = await this.read();
    edit(desired);
    const text = JSON.stringify(desired, null, 2);
    this.#writing = this.#writing.catch(() => {}).then(() => replace(this.#file, text));
    await this.#writing;
  }
}

async function load(file: string): Promise<Desired> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Desired;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') {
      const advice = 'remove the local cloud with `local-cloud reset` and start again';
      throw new Error(`${file} cannot be read: ${advice}`, { cause });
    }
    return { network: null, servers: {}, volumes: {}, firewalls: [], balancers: [] };
  }
}

/** Written beside and renamed over, so that a crash leaves the old or the new one. */
async function replace(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(`${file}.new`, text, { mode: 0o600 });
  await rename(`${file}.new`, file);
}
