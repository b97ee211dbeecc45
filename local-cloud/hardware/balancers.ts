import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../../lib/process/run.ts';
import { type Instance, nameOf } from '../instance.ts';
import type { LoadBalancerSpec } from '../machinery.ts';
import { balancerConfig } from './balancer-config.ts';
import { stateFile } from './balancer-state.ts';
import { runningPid, startDaemon, stopDaemon } from './daemon.ts';
import { runDirectory } from './engine.ts';
import { hostNamespace } from './namespace.ts';
import { ask } from './unix-socket.ts';

const RELOADED_WITHIN_MS = 30_000;

/**
 * The load balancers: one HAProxy in master-worker mode. A reload hands the
 * listening sockets over, so that no connection is refused; old workers finish theirs.
 */
export class Balancers {
  readonly #instance: Instance;
  readonly #directory: string;
  readonly #pidFile: string;
  readonly #statsSocket: string;
  readonly #masterSocket: string;

  constructor(instance: Instance) {
    this.#instance = instance;
    this.#directory = join(instance.stateDirectory, 'haproxy');
    this.#pidFile = join(runDirectory(instance), 'haproxy.identity');
    this.#statsSocket = join(runDirectory(instance), 'haproxy.sock');
    this.#masterSocket = join(runDirectory(instance), 'haproxy-master.sock');
  }

  /**
   * Makes HAProxy balance as said; none runs when there is nothing to listen on.
   * @throws CommandFailed when HAProxy refuses the configuration; the former one stays.
   */
  async apply(balancers: readonly LoadBalancerSpec[]): Promise<void> {
    const listening = balancers.filter((balancer) => balancer.services.length > 0);
    if (listening.length === 0) return this.stop();
    const site = {
      hostNamespace: hostNamespace(this.#instance),
      statsSocket: this.#statsSocket,
      stateFile: join(this.#directory, 'state'),
    };
    const config = balancerConfig(listening, site);
    const file = join(this.#directory, 'haproxy.cfg');
    const runs = (await runningPid(this.#pidFile)) !== null;
    if (runs && (await readFile(file, 'utf8').catch(() => '')) === config) return;

    await mkdir(this.#directory, { recursive: true });
    await mkdir(runDirectory(this.#instance), { recursive: true, mode: 0o700 });
    await writeFile(site.stateFile, stateFile(listening, runs ? await this.statistics() : ''));
    await writeFile(`${file}.new`, config);
    await run(['haproxy', '-c', '-q', '-f', `${file}.new`]);
    await rename(`${file}.new`, file);
    if (runs) await this.#reload();
    else await this.#start(file);
  }

  /** HAProxy's `show stat`, or '' when it does not run. */
  async statistics(): Promise<string> {
    if ((await runningPid(this.#pidFile)) === null) return '';
    return ask(this.#statsSocket, 'show stat');
  }

  async stop(): Promise<void> {
    await stopDaemon(this.#pidFile, 5_000);
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #start(file: string): Promise<void> {
    await startDaemon({
      argv: [
        'nsenter',
        `--net=/run/netns/${nameOf(this.#instance)}`,
        ...['haproxy', '-W', '-S', `${this.#masterSocket},mode,600`, '-f', file],
      ],
      pidFile: this.#pidFile,
      logFile: join(this.#instance.stateDirectory, 'log', 'haproxy.log'),
    });
    await this.#until((processes) => /^\d+\s+worker/m.test(processes));
  }

  async #reload(): Promise<void> {
    const before = workers(await ask(this.#masterSocket, 'show proc'));
    const pid = await runningPid(this.#pidFile);
    if (pid === null) throw new Error('HAProxy ended before it could be reloaded: try again');
    process.kill(pid, 'SIGUSR2');
    await this.#until((processes) => workers(processes).some((worker) => !before.includes(worker)));
  }

  /** Waits for the master's process list to show what `condition` looks for. */
  async #until(condition: (processes: string) => boolean): Promise<void> {
    for (const deadline = Date.now() + RELOADED_WITHIN_MS; Date.now() < deadline; await sleep(20)) {
      // While the master executes itself anew its socket may not answer.
      if (condition(await ask(this.#masterSocket, 'show proc').catch(() => ''))) return;
    }
    const logFile = join(this.#instance.stateDirectory, 'log', 'haproxy.log');
    throw new Error(`HAProxy did not take its configuration over: see ${logFile}`);
  }
}

/** Process ids of the current workers; those of former configurations stand below a heading. */
function workers(processes: string): string[] {
  const current = processes.split('# old workers')[0] ?? '';
  return [...current.matchAll(/^(\d+)\s+worker/gm)].map((match) => match[1] as string);
}
