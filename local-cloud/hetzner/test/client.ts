import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type HetznerApiOptions, startHetznerApi } from '../server.ts';
import { RecordingMachinery } from './recording-machinery.ts';

export const TOKEN = 't'.repeat(64);
export const READ_ONLY_TOKEN = 'r'.repeat(64);

// biome-ignore lint/suspicious/noExplicitAny: answers are asserted by shape, not by type
type Json = any;
export interface Reply {
  status: number;
  headers: Headers;
  body: Json;
}

/** An API over recording hardware on a free loopback port, and a client for it. */
export async function startCloud(options: Partial<HetznerApiOptions> = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'hetzner-'));
  const machinery = new RecordingMachinery();
  const api = await startHetznerApi({
    instance: { number: 0, stateDirectory: directory },
    machinery,
    worldFile: join(directory, 'world.json'),
    token: TOKEN,
    readOnlyToken: READ_ONLY_TOKEN,
    listen: { host: '127.0.0.1', port: 0 },
    ...options,
  });
  return {
    ...clientOf(api.url),
    api,
    directory,
    machinery,
    async stop() {
      await api.close();
      rmSync(directory, { recursive: true });
    },
  };
}

export function clientOf(url: string, token = TOKEN) {
  async function call(method: string, path: string, body?: unknown): Promise<Reply> {
    const response = await fetch(`${path.startsWith('/_') ? new URL(url).origin : url}${path}`, {
      method,
      headers: { Authorization: `Bearer ${token}` },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: text === '' ? null : JSON.parse(text),
    };
  }
  /** Waits for every action of an answer; throws when the answer or an action is an error. */
  async function done(reply: Promise<Reply>): Promise<Json> {
    const { status, body } = await reply;
    if (status >= 400) throw new Error(`${status} ${JSON.stringify(body)}`);
    const actions = [body?.action, ...(body?.actions ?? []), ...(body?.next_actions ?? [])];
    for (const action of actions) if (action) await settled(action.id);
    return body;
  }
  async function settled(id: number): Promise<Json> {
    for (let attempt = 0; attempt < 500; attempt += 1) {
      const { body } = await call('GET', `/actions?id=${id}`);
      const [action] = body.actions;
      if (action.status === 'error') throw new Error(action.error.message);
      if (action.status === 'success') return action;
      await sleep(5);
    }
    throw new Error(`action ${id} did not end`);
  }
  return {
    call,
    done,
    get: (path: string) => call('GET', path),
    post: (path: string, body: unknown = {}) => call('POST', path, body),
    put: (path: string, body: unknown) => call('PUT', path, body),
    remove: (path: string) => call('DELETE', path),
  };
}
export type Client = ReturnType<typeof clientOf>;

/** A network with a subnet, as most tests need one. */
export async function createNetwork({ done, post }: Client, name = 'net') {
  const { network } = await done(
    post('/networks', {
      name,
      ip_range: '10.0.0.0/16',
      subnets: [{ type: 'cloud', ip_range: '10.0.1.0/24', network_zone: 'eu-central' }],
    }),
  );
  return network;
}

export async function createServer({ done, post }: Client, name: string, more: object = {}) {
  const { server } = await done(
    post('/servers', {
      name,
      server_type: 'cpx22',
      image: 'debian-12',
      location: 'fsn1',
      ...more,
    }),
  );
  return server;
}

/** Status and error code of a refused request. */
export const codeOf = async (reply: Promise<Reply>) => {
  const { status, body } = await reply;
  return `${status} ${body?.error?.code}`;
};
