import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Instance } from '../instance.ts';
import { instanceLabel } from './container.ts';
import type { Engine } from './engine.ts';

/** What happened to a server without our doing. */
export interface ServerEvent {
  serverId: number;
  event: 'started' | 'rebooted' | 'died';
}

/** A container's exit code when its init called for a reboot (killed by SIGHUP, see reboot(2)). */
const REBOOT = 129;

/**
 * Follows the engine's events about this instance's servers until aborted. A stream that
 * breaks off (the engine restarted) is taken up again after `onGap`, which should look at
 * every server, as events may have been missed.
 */
export async function watchServers(
  instance: Instance,
  engine: Engine,
  handlers: { onEvent: (event: ServerEvent) => void; onGap: () => Promise<void> },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await Promise.all([follow(instance, engine, handlers.onEvent, signal), handlers.onGap()]);
    await sleep(1_000, undefined, { signal }).catch(() => {});
  }
}

async function follow(
  instance: Instance,
  engine: Engine,
  onEvent: (event: ServerEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  const filters = [
    `label=${instanceLabel(instance)}`,
    'type=container',
    'event=start',
    'event=die',
  ];
  const argv = ['events', '--format={{json .}}', ...filters.map((filter) => `--filter=${filter}`)];
  const child = spawn('docker', argv, {
    env: { ...process.env, DOCKER_HOST: engine.host },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  child.on('error', () => {}); // its output ends as well, and the caller tries again
  const stop = () => child.kill();
  signal.addEventListener('abort', stop, { once: true });
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const event = parseEvent(line);
      if (event) onEvent(event);
    }
  } finally {
    signal.removeEventListener('abort', stop);
    child.kill();
  }
}

/** One line of `docker events`; null for what does not concern a server. */
export function parseEvent(line: string): ServerEvent | null {
  type Message = { Action?: string; Actor?: { Attributes?: Record<string, string> } };
  const { Action, Actor } = JSON.parse(line) as Message;
  const serverId = Number(Actor?.Attributes?.['compta.server']);
  if (!serverId) return null;
  if (Action === 'start') return { serverId, event: 'started' };
  if (Action !== 'die') return null;
  const reboot = Number(Actor?.Attributes?.exitCode) === REBOOT;
  return { serverId, event: reboot ? 'rebooted' : 'died' };
}
