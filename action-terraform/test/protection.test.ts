import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { liftingProtection, protectedDestroys } from '../src/protection.ts';
import { planOf, resource } from './fixtures.ts';

const TOKEN = 'a-token';
const before = { id: '7', delete_protection: true };
const plan = planOf([
  resource('hcloud_server.goes', ['delete'], before, null),
  resource('hcloud_volume.replaced', ['delete', 'create'], before, before),
  resource('hcloud_network.stays', ['no-op'], before, before),
  resource('hcloud_volume.open', ['delete'], { id: '8', delete_protection: false }, null),
]);

/** Hetzner's API: what it has done, in that order, what it refuses, and what it takes its time for. */
let asked: string[];
/** What has come to it, done or not. */
let come: string[];
let refused: Set<string>;
let slow: string;
let url: string;
let close: () => void;
beforeEach(async () => {
  asked = [];
  come = [];
  refused = new Set();
  slow = 'nothing';
  const gone = new Set<string>();
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    const { method, url: path = '' } = request;
    const line = `${method} ${path} ${text}`.trim();
    come.push(line);
    if (line.includes(slow)) await sleep(300);
    asked.push(line);
    const [, , collection = '', id] = path.split('/');
    const thing = `${collection}/${id}`;
    const isRefused =
      refused.has(`${method} ${path}`) || request.headers.authorization !== `Bearer ${TOKEN}`;
    response.writeHead(gone.has(thing) ? 404 : isRefused ? 423 : 200, {
      'ratelimit-remaining': '3599',
    });
    if (method === 'DELETE' && !isRefused) gone.add(thing);
    const action = { id: 1, command: 'change_protection', status: 'success' };
    response.end(
      isRefused
        ? '{"error":{"code":"locked","message":"not now"}}'
        : JSON.stringify({ action, [collection.replace(/s$/, '')]: { id } }),
    );
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  close = () => server.close();
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
});
afterEach(() => close());

/** Waits until what it takes its time for is under way. */
async function atTheSlowOne(): Promise<void> {
  while (!come.some((line) => line.includes(slow))) await sleep(5);
}

const said: string[] = [];
const tell = (kind: string) => (line: string) => said.push(`${kind}: ${line}`);

/** Destroys as Terraform's provider would, with what it is told of the API. */
async function destroying(
  destroy: (
    request: (method: string, path: string, token?: string) => Promise<Response>,
  ) => unknown,
  of = plan,
) {
  said.length = 0;
  const session = {
    inputs: { hcloudToken: TOKEN },
    env: { HCLOUD_ENDPOINT: url },
    runner: { notice: tell('notice'), warning: tell('warning') },
  };
  await liftingProtection(session as never, of, async (env) => {
    const { HCLOUD_ENDPOINT } = { ...session.env, ...env };
    await destroy((method, path, token = TOKEN) =>
      fetch(`${HCLOUD_ENDPOINT}${path}`, {
        method,
        headers: { authorization: `Bearer ${token}` },
        ...(method === 'POST' && { body: '{"name":"x"}' }),
      }),
    );
  });
}

describe('a protected resource', () => {
  it('is one that the plan takes away', () => {
    expect(protectedDestroys(plan).map(({ address }) => address)).toEqual([
      'hcloud_server.goes',
      'hcloud_volume.replaced',
    ]);
  });

  it('loses its protection when Terraform deletes it, no sooner, and the step says so', async () => {
    await destroying(async (request) => {
      expect(asked).toEqual([]);
      await request('DELETE', '/servers/7');
    });
    expect(asked).toEqual([
      'POST /v1/servers/7/actions/change_protection {"delete":false,"rebuild":false}',
      'DELETE /v1/servers/7',
      'GET /v1/servers/7',
    ]);
    expect(said).toEqual([
      'notice: Lifted the delete protection of hcloud_server.goes (7): the plan destroys it.',
    ]);
  });

  it('keeps it when Terraform is ended before it comes to it', async () => {
    const ended = destroying(async (request) => {
      await request('DELETE', '/servers/7');
      throw new Error('The job was cancelled.');
    });
    await expect(ended).rejects.toThrow('The job was cancelled.');
    expect(asked.join()).not.toContain('/volumes/7');
  });

  it('is protected again when Hetzner does not delete it', async () => {
    refused.add('DELETE /v1/volumes/7');
    await destroying(async (request) => {
      expect((await request('DELETE', '/volumes/7')).status).toBe(423);
    });
    expect(asked.at(-1)).toBe('POST /v1/volumes/7/actions/change_protection {"delete":true}');
    expect(said.at(-1)).toBe(
      'notice: hcloud_volume.replaced (7) was not deleted: it is protected again.',
    );
  });

  it('is protected again when Terraform is ended while its protection comes off', async () => {
    slow = '{"delete":false';
    await destroying(async (request) => {
      void request('DELETE', '/volumes/7').catch(() => undefined);
      await atTheSlowOne();
    });
    expect(asked).toEqual([
      'POST /v1/volumes/7/actions/change_protection {"delete":false}',
      'GET /v1/volumes/7',
      'POST /v1/volumes/7/actions/change_protection {"delete":true}',
    ]);
  });

  it('that is deleted after Terraform was ended is not said to be there', async () => {
    slow = 'DELETE';
    await destroying(async (request) => {
      void request('DELETE', '/volumes/7').catch(() => undefined);
      await atTheSlowOne();
    });
    expect(asked.slice(1)).toEqual(['DELETE /v1/volumes/7', 'GET /v1/volumes/7']);
    expect(said).toEqual([expect.stringContaining('Lifted the delete protection')]);
  });

  it('that is asked for twice loses it once, and before either is passed on', async () => {
    slow = '{"delete":false';
    await destroying((request) =>
      Promise.all([request('DELETE', '/volumes/7'), request('DELETE', '/volumes/7')]),
    );
    expect(asked.map((line) => line.split(' ')[0])).toEqual(['POST', 'DELETE', 'DELETE', 'GET']);
  });

  it('that Hetzner does not unprotect is for Hetzner to refuse', async () => {
    refused.add('POST /v1/servers/7/actions/change_protection');
    await destroying((request) => request('DELETE', '/servers/7'));
    expect(said[0]).toMatch(
      /^warning: The delete protection of hcloud_server\.goes \(7\) could not be lifted: .*423/,
    );
    expect(asked).toContain('DELETE /v1/servers/7');
  });

  it.each([
    ['that the plan leaves alone', 'DELETE', '/networks/7', TOKEN],
    ['that is only looked at', 'GET', '/servers/7', TOKEN],
    ['that somebody without the token wants to delete', 'DELETE', '/servers/7', 'another'],
  ])('%s keeps it', async (_what, method, path, token) => {
    await destroying((request) => request(method, path, token));
    expect(asked).toEqual([`${method} /v1${path}`]);
  });
});

describe('what Terraform asks of Hetzner meanwhile', () => {
  it('goes through as it is, and so does the answer', async () => {
    await destroying(async (request) => {
      const answer = await request('POST', '/servers');
      expect(answer.headers.get('ratelimit-remaining')).toBe('3599');
      expect(await answer.json()).toMatchObject({ action: { id: 1 } });
    });
    expect(asked).toEqual(['POST /v1/servers {"name":"x"}']);
  });

  it('goes to Hetzner itself when nothing protected is destroyed', async () => {
    const harmless = planOf([resource('hcloud_volume.open', ['delete'], { id: '8' }, null)]);
    await destroying((request) => request('DELETE', '/volumes/8'), harmless);
    expect(asked).toEqual(['DELETE /v1/volumes/8']);
  });
});
