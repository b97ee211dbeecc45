import { join } from 'node:path';
import { type Daemon, startDaemon, stopDaemon } from '../hardware/daemon.ts';
import { runDirectory } from '../hardware/engine.ts';
import type { Instance } from '../instance.ts';

export type { Daemon };

/** The programs beside the cloud process itself, in the order in which they start. */
export const SERVICES = ['registry', 's3', 'builder'] as const;
export type Service = (typeof SERVICES)[number];

/** Where a service's pid file and log are. */
export function filesOf(instance: Instance, name: Service | 'cloud') {
  return {
    pidFile: join(runDirectory(instance), `${name}.pid`),
    logFile: join(instance.stateDirectory, 'logs', `${name}.log`),
  };
}

/** Starts it anew: one that a killed cloud left behind has files and addresses of before. */
export async function restart(daemon: Daemon): Promise<void> {
  await stopDaemon(daemon.pidFile, 10_000);
  await startDaemon(daemon);
}

export async function stopServices(instance: Instance): Promise<void> {
  for (const name of [...SERVICES].reverse()) {
    await stopDaemon(filesOf(instance, name).pidFile, 10_000);
  }
}
