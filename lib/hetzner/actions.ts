import { setTimeout as sleep } from 'node:timers/promises';
import type { HetznerApi } from './api.ts';

/** Something that Hetzner does after it has answered. */
export interface Action {
  id: number;
  command: string;
  status: string;
  error?: { message: string } | null;
}

const POLL_MS = 500;
const POLLS = 120;

/** Resolves when the action has been done. @throws Error when it failed, is gone, or takes over a minute */
export async function settled(api: HetznerApi, action: Action | undefined): Promise<void> {
  let current = action;
  for (let poll = 0; current?.status === 'running' && poll < POLLS; poll += 1) {
    await sleep(POLL_MS);
    current = ((await api.get(`/actions/${current.id}`)) as { action?: Action } | undefined)
      ?.action;
  }
  if (current?.status === 'success') return;
  const how = current?.error?.message ?? current?.status ?? 'it is gone';
  throw new Error(`Hetzner did not do ${action?.command ?? 'what it was asked for'}: ${how}`);
}
