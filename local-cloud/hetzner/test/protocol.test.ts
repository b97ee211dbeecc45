import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { pricing } from '../catalogue.ts';
import catalogue from '../catalogue-2026-09-04.json' with { type: 'json' };
import { clientOf, createServer, READ_ONLY_TOKEN, startCloud } from './client.ts';

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEnPzmYtyhDYMCHY4jAFCjuvpAh7fRgEAYs5R13LYxPG a@b';

let cloud: Awaited<ReturnType<typeof startCloud>>;
beforeEach(async () => {
  cloud = await startCloud();
});
afterEach(() => cloud.stop());

describe('the door', () => {
  test('takes the token, and lets the read-only one read', async () => {
    const stranger = clientOf(cloud.api.url, 'x'.repeat(64));
    expect((await stranger.get('/servers')).body.error.code).toBe('unauthorized');
    const reader = clientOf(cloud.api.url, READ_ONLY_TOKEN);
    expect((await reader.get('/servers')).status).toBe(200);
    const refused = await reader.post('/ssh_keys', { name: 'a', public_key: KEY });
    expect([refused.status, refused.body.error.code]).toEqual([403, 'token_readonly']);
  });

  test('tells the request budget and refuses beyond it', async () => {
    const small = await startCloud({ rateLimit: 2 });
    const first = await small.get('/servers');
    expect(first.headers.get('ratelimit-limit')).toBe('2');
    expect(first.headers.get('ratelimit-remaining')).toBe('1');
    expect(Number(first.headers.get('ratelimit-reset'))).toBeGreaterThan(Date.now() / 1000 - 1);
    await small.get('/servers');
    const refused = await small.get('/servers');
    expect([refused.status, refused.body.error.code]).toEqual([429, 'rate_limit_exceeded']);
    await small.stop();
  });

  test('names the wrong fields of a body, and bodies that are not JSON', async () => {
    const wrong = await cloud.post('/volumes', { name: 'v', size: 1 });
    expect(wrong.status).toBe(422);
    expect(wrong.body.error).toMatchObject({
      code: 'invalid_input',
      details: { fields: [{ name: 'size' }] },
    });
    const response = await fetch(`${cloud.api.url}/volumes`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${'t'.repeat(64)}` },
      body: '{',
    });
    expect(response.status).toBe(400);
  });

  test('knows no datacenters and no unknown paths', async () => {
    expect((await cloud.get('/datacenters')).status).toBe(410);
    expect((await cloud.get('/servers/12')).body.error.code).toBe('not_found');
    expect((await cloud.get('/zones')).status).toBe(404);
  });

  test('logs requests without tokens or bodies', async () => {
    await cloud.post('/ssh_keys', { name: 'log me not', public_key: KEY });
    await cloud.api.close();
    const log = readFileSync(join(cloud.directory, 'requests.jsonl'), 'utf8');
    const line = JSON.parse(log.trim().split('\n').at(-1) ?? '');
    expect(line).toEqual({
      time: expect.any(String),
      method: 'POST',
      path: '/v1/ssh_keys',
      status: 201,
      ms: expect.any(Number),
    });
    expect(log).not.toContain('log me not');
    expect(log).not.toContain('tttt');
  });
});

describe('lists', () => {
  test('come in pages, sorted, by name and by labels', async () => {
    for (let i = 0; i < 7; i += 1) {
      const labels = { role: i % 2 ? 'odd' : 'even', 'compta.dev/n': String(i) };
      await cloud.post('/placement_groups', { name: `group-${i}`, type: 'spread', labels });
    }
    const names = async (query: string) => {
      const { body } = await cloud.get(`/placement_groups?${query}`);
      return body.placement_groups.map(({ name }: { name: string }) => name.slice(6)).join('');
    };
    expect(await names('sort=name:desc')).toBe('6543210');
    expect(await names('page=2&per_page=3')).toBe('345');
    expect(await names('name=group-4')).toBe('4');
    expect(await names('label_selector=role==odd')).toBe('135');
    expect(await names('label_selector=role!=odd,compta.dev/n')).toBe('0246');
    expect(await names('label_selector=compta.dev/n in (1,2),!missing')).toBe('12');
    expect(await names('label_selector=compta.dev/n notin (1,2, 3)')).toBe('0456');
    const { meta } = (await cloud.get('/placement_groups?page=2&per_page=3')).body;
    expect(meta.pagination).toEqual({
      page: 2,
      per_page: 3,
      previous_page: 1,
      next_page: 3,
      last_page: 3,
      total_entries: 7,
    });
  });

  test.each(['sort=colour', 'page=0', 'label_selector=a=b=c', 'label_selector='.padEnd(20, '(')])(
    'refuse %s',
    async (query) => {
      const { body } = await cloud.get(`/servers?${query}`);
      expect(body.error.code).toBe('invalid_input');
    },
  );
});

describe('the catalogue', () => {
  test('has types with prices per location, and today’s deprecations', async () => {
    const { server_types } = (await cloud.get('/server_types?name=cpx31')).body;
    expect(server_types[0].locations[0].deprecation.unavailable_after).toMatch(/^2026-01-01/);
    const listed = (await cloud.get('/pricing')).body.pricing;
    expect(listed.server_backup.percentage).toBe('20.00');
    expect(listed.primary_ips[0].prices[0].price_monthly.net).toBe('0.5000000000');
    const cpx22 = listed.server_types.find(({ name }: { name: string }) => name === 'cpx22');
    expect(Number(cpx22.prices[0].price_monthly.net)).toBe(19.99);
    expect(Number(cpx22.prices[0].price_monthly.gross)).toBeCloseTo(23.79, 2);
  });

  test('says where each price was read, and has none without a source', () => {
    const named = JSON.stringify(catalogue).match(/(?<="source":")[^"]+/g) ?? [];
    expect(named.length).toBeGreaterThan(10);
    expect(Object.keys(catalogue.sources)).toEqual(expect.arrayContaining(named));
    const lb21 = pricing.load_balancer_types.find(({ name }) => name === 'lb21');
    expect(lb21?.prices).toEqual([]);
  });

  test.each([
    ['cpx31', 'fsn1', 'invalid_server_type'],
    ['cpx22', 'ash', 'invalid_server_type'],
    ['cx23', 'fsn1', 'resource_unavailable'],
    ['cx22', 'fsn1', 'invalid_input'],
  ])('does not sell %s in %s: %s', async (server_type, location, code) => {
    const wanted = { name: 'a', image: 'debian-12', server_type, location };
    expect((await cloud.post('/servers', wanted)).body.error.code).toBe(code);
  });
});

describe('faults', () => {
  test('answer the next requests 429, 502 or 504, and then heal', async () => {
    for (const status of [502, 504]) {
      await cloud.post('/_faults', { next: { status, count: 1 } });
      expect((await cloud.get('/servers')).status).toBe(status);
    }
    await cloud.post('/_faults', { next: { status: 429, count: 2 } });
    expect((await cloud.get('/servers')).status).toBe(429);
    expect((await cloud.get('/servers')).body.error.code).toBe('rate_limit_exceeded');
    expect((await cloud.get('/servers')).status).toBe(200);
  });

  test('lose the answer to a change that was made', async () => {
    await cloud.post('/_faults', { lose_answers: 1 });
    const group = { name: 'lost', type: 'spread' };
    await expect(cloud.post('/placement_groups', group)).rejects.toThrow('fetch failed');
    expect((await cloud.get('/placement_groups')).body.placement_groups).toMatchObject([group]);
    const again = await cloud.post('/placement_groups', group);
    expect(again.body.error.code).toBe('uniqueness_error');
  });

  test('let an action fail, and a location be full', async () => {
    await cloud.post('/_faults', {
      fail_action: { command: 'start_server', message: 'no host is free' },
      unavailable: [{ server_type: 'cpx22', location: 'hel1' }],
    });
    await expect(createServer(cloud, 'a')).rejects.toThrow('no host is free');
    await expect(createServer(cloud, 'b', { location: 'hel1' })).rejects.toThrow(
      'resource_unavailable',
    );
    await createServer(cloud, 'c');
  });
});
