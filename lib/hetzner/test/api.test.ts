import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { settled } from '../actions.ts';
import { hetznerApi, pauseAfter } from '../api.ts';

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function serve(handle: RequestListener): Promise<string> {
  const server = createServer(handle);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  closing.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const never = new AbortController().signal;

describe("Hetzner's API", () => {
  it.each([429, 502, 503, 504])('is asked again after a %i', async (status) => {
    let requests = 0;
    const url = await serve((_request, response) => {
      requests += 1;
      response.writeHead(requests < 3 ? status : 200, { 'retry-after': '0' });
      response.end(requests < 3 ? '' : '{"ok":true}');
    });
    const api = hetznerApi('token', { HCLOUD_ENDPOINT: url }, never);
    expect(await api.get('/pricing')).toEqual({ ok: true });
    expect(requests).toBe(3);
  });

  it('is asked again when it does not answer', async () => {
    let requests = 0;
    const url = await serve((request, response) => {
      requests += 1;
      if (requests < 2) request.socket.destroy();
      else response.end('{"ok":true}');
    });
    const api = hetznerApi('token', { HCLOUD_ENDPOINT: url }, never);
    expect(await api.get('/pricing')).toEqual({ ok: true });
    expect(requests).toBe(2);
  });

  it('is asked again when its answer breaks off', async () => {
    let requests = 0;
    const url = await serve((request, response) => {
      requests += 1;
      response.writeHead(200, { 'content-length': '11' });
      if (requests < 2) response.write('{"ok"', () => request.socket.destroy());
      else response.end('{"ok":true}');
    });
    const api = hetznerApi('token', { HCLOUD_ENDPOINT: url }, never);
    expect(await api.get('/pricing')).toEqual({ ok: true });
    expect(requests).toBe(2);
  });

  it('is not asked again by a job that was cancelled', async () => {
    const cancel = new AbortController();
    let requests = 0;
    const url = await serve(() => {
      requests += 1;
      cancel.abort();
    });
    const api = hetznerApi('token', { HCLOUD_ENDPOINT: url }, cancel.signal);
    await expect(api.get('/pricing')).rejects.toThrow('/pricing did not answer (attempt 1)');
    expect(requests).toBe(1);
  });

  it('is asked for a collection page by page', async () => {
    const url = await serve((request, response) => {
      const { searchParams } = new URL(request.url ?? '', 'http://api');
      if (searchParams.get('name') !== 'ours') return void response.writeHead(400).end();
      const page = Number(searchParams.get('page'));
      const next_page = page < 3 ? page + 1 : null;
      const body = { servers: [{ id: page }], meta: { pagination: { next_page } } };
      response.end(JSON.stringify(body));
    });
    const api = hetznerApi('token', { HCLOUD_ENDPOINT: url }, never);
    const all = await api.all('servers', { name: 'ours' });
    expect(all.map(({ id }) => id)).toEqual([1, 2, 3]);
  });

  it('is believed after five refusals, and at once when it is no matter of time', async () => {
    let requests = 0;
    const url = await serve((request, response) => {
      requests += 1;
      response.writeHead(request.url === '/later' ? 502 : 401, { 'retry-after': '0' }).end();
    });
    const api = hetznerApi('token', { HCLOUD_ENDPOINT: url }, never);
    await expect(api.get('/later')).rejects.toThrow('answered 502 (attempt 5)');
    requests = 0;
    await expect(api.get('/never')).rejects.toThrow('answered 401 (attempt 1)');
    expect(requests).toBe(1);
  });

  const now = Date.parse('2026-11-23T00:00:00Z');
  const reset = (seconds: number) => String(now / 1_000 + seconds);
  it.each<[string, Record<string, string>, number]>([
    ['as long as Retry-After says', { 'Retry-After': '7' }, 7_000],
    [
      'until one request is given back',
      { 'RateLimit-Limit': '3600', 'RateLimit-Remaining': '0', 'RateLimit-Reset': reset(3_600) },
      2_000,
    ],
    [
      'no longer than until the budget is whole',
      { 'RateLimit-Limit': '60', 'RateLimit-Remaining': '0', 'RateLimit-Reset': reset(3) },
      3_000,
    ],
    ['a little while the budget is not spent', { 'RateLimit-Remaining': '100' }, 1_000],
    ['a little when nothing is said', {}, 1_000],
    ['a minute at most', { 'Retry-After': '86400' }, 60_000],
  ])('is left alone %s', (_what, headers, expected) => {
    expect(pauseAfter(new Headers(headers), 2, now)).toBe(expected);
  });
});

describe('a refusal', () => {
  it.each([
    [
      '{"error":{"code":"token_readonly","message":"only reading"}}',
      ': token_readonly, only reading',
    ],
    ['<html>Forbidden</html>', ''],
  ])('%j is told in the words of Hetzner', async (body, said) => {
    const url = await serve((_request, response) => response.writeHead(403).end(body));
    const api = hetznerApi('token', { HCLOUD_ENDPOINT: url }, never);
    await expect(api.post('/servers', {})).rejects.toThrow(
      new Error(`${url}/servers answered 403 (attempt 1)${said}`),
    );
  });
});

describe('an action', () => {
  const action = { id: 7, command: 'set_firewall_rules', status: 'running' };
  const answering = async (...answers: object[]) => {
    const url = await serve((_request, response) => {
      response.end(JSON.stringify({ action: { ...action, ...answers.shift() } }));
    });
    return hetznerApi('token', { HCLOUD_ENDPOINT: url }, never);
  };

  it('is waited for', async () => {
    const api = await answering({}, { status: 'success' });
    await settled(api, action);
  });

  it.each([
    ['failed', { status: 'error', error: { message: 'no luck' } }, 'no luck'],
    ['ended in a way that nobody knows', { status: 'lost' }, 'lost'],
  ])('that %s is told', async (_what, answer, said) => {
    const api = await answering(answer);
    await expect(settled(api, action)).rejects.toThrow(
      `Hetzner did not do set_firewall_rules: ${said}`,
    );
  });
});
