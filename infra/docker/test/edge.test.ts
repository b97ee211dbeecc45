import { once } from 'node:events';
import { Agent } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { deploy } from '../../../lib/release/deploy.ts';
import type { Host } from '../../../lib/release/host.ts';
import type { Tell } from '../../../lib/release/progress.ts';
import type { Slot } from '../../../lib/release/slots.ts';
import type { TestEnvironment } from '../../../lib/release/test/fixture/environment.ts';
import type { TestHost } from '../../../lib/release/test/fixture/hosts.ts';
import { setAccepting } from '../../../lib/release/test/fixture/traffic.ts';
import type { Balancer } from './fixture/balancer.ts';
import { eventually, releaseFirst, type Site, serialsOf, startSite } from './fixture/site.ts';
import { type Answer, Visitor } from './fixture/visitor.ts';

/** Production on two servers, released by the code that releases production. */
let site: Site;
let name: string;
let environment: TestEnvironment;
let balancer: Balancer;
let visitor: Visitor;
let at: Site['at'];
const app = 'https://app.compta.test';
/** Seconds that a certificate holds; it is renewed somewhere in between. */
const lifetime = 60;
/** Requests that a server lets a client make in ten seconds. */
const limit = 30;

async function release(version: string, only?: string[], tell?: Tell, changed = {}) {
  const wanted = await environment.wanted(version, {}, only);
  wanted.variables = { ...wanted.variables, ...changed };
  const batch = only === undefined ? 2 : 1;
  const { baseUrl: _asked, ...how } = environment.how({ batch, edgeDrain: 2_000 });
  const outcome = await deploy(environment.hosts, wanted, {
    ...how,
    tell: tell ?? how.tell,
  });
  expect(outcome).toMatchObject({ status: 'deployed' });
}

const serials = () => serialsOf(site);
const server = (index: number): string => at.servers[index] as string;
/** What Docker knows by the health check of Caddy's image. */
const health = async (index: number): Promise<string | undefined> => {
  const asked = ['inspect', '-f', '{{.State.Health.Status}}', 'compta-caddy-1'];
  return (await environment.test.hosts[index]?.docker(...asked))?.trim();
};

/** What keeps a browser safe, and nothing that tells what serves it. */
function expectProtection({ headers }: Answer): void {
  expect(headers).toMatchObject({
    'strict-transport-security': 'max-age=31536000; includeSubDomains',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'strict-origin-when-cross-origin',
    'permissions-policy': expect.any(String),
    'content-security-policy': expect.stringContaining("default-src 'self'"),
  });
  for (const name of telling) expect(headers).not.toHaveProperty(name);
}

const telling = ['server', 'via', 'x-compta-slot'];
const caddyLog = async (index: number): Promise<string> =>
  (await environment.test.hosts[index]?.docker('logs', 'compta-caddy-1')) ?? '';

beforeAll(async () => {
  const variables = () => ({
    SITE_CORS_ORIGIN: app,
    SITE_RATE_LIMIT: `per-client ${limit}`,
    SITE_RENEW_INTERVAL: '1s',
  });
  site = await startSite(2, { lifetime, checks: 100, variables });
  ({ name, environment, balancer, visitor, at } = site);
  // Every challenge reaches the first server, also those that the second one asks for.
  await balancer.hand(80, server(0));
  await releaseFirst(site, () => release('1.0.0'));
}, 300_000);
afterAll(async () => {
  await site?.close();
}, 180_000);

/** Serial numbers, to tell new certificates by. */
let first: string[] = [];

test('the health check of Caddy fails where none serves', async () => {
  const { docker } = environment.test.hosts[0] as TestHost;
  const image = (await docker('inspect', '-f', '{{.Image}}', 'compta-caddy-1')).trim();
  const alone = docker('run', '--rm', '--network', 'none', image, '/usr/bin/caddy', 'health');
  await expect(alone).rejects.toThrow('connection refused');
});

test('both servers get a certificate of their own, though every challenge reaches the first', async () => {
  first = await eventually('two certificates', 100, serials);
  expect(new Set(first).size).toBe(2);
}, 120_000);

describe('the load balancer', () => {
  /** Waits until it takes the first server for healthy, or not, for each port. */
  const sees = (expected: { 80: boolean; 443: boolean }) =>
    eventually(JSON.stringify(expected), 30, async () => {
      const web = await balancer.trusts(80, server(0));
      const tls = await balancer.trusts(443, server(0));
      return (web === expected[80] && tls === expected[443]) || undefined;
    });
  beforeAll(() => balancer.hand(80));
  afterAll(async () => {
    // From here on every challenge reaches the second server; the renewals go on meanwhile.
    await balancer.hand(80, server(1));
    first = await serials();
  });

  test('keeps a server without a gateway for challenges and redirects only', async () => {
    await sees({ 80: true, 443: true });
    const host = environment.hosts[0] as Host;
    const gateway = (await host.state()).slots.find((slot) => slot.service === 'api-gateway');
    await setAccepting(host, gateway as Slot, false);
    await sees({ 80: true, 443: false });
    const refused = await visitor.ask(server(0), '/api/version', { timeout: 20_000 });
    expect(refused.status).toBe(503);
    expectProtection(refused);
    expect(await caddyLog(0)).toContain('"error":"no upstreams available"');
    await setAccepting(host, gateway as Slot, true);
    await sees({ 80: true, 443: true });
  }, 100_000);

  test('leaves alone a server that was taken out of rotation', async () => {
    const kept = { agent: new Agent({ keepAlive: true }), method: 'POST', body: '{}' };
    const onKept = () => visitor.ask(server(0), '/api/version', kept);
    const session = visitor.http2(server(0));
    const told = once(session, 'goaway');
    const onSession = async () => {
      const stream = session.request({ ':path': '/api/version' }).resume();
      const [headers] = await once(stream, 'response');
      await once(stream, 'end');
      return headers[':status'];
    };
    expect((await onKept()).headers.connection).toBeUndefined();
    expect(await onSession()).toBe(200);
    await environment.hosts[0]?.read(['touch', '/opt/compta/caddy/state/out-of-rotation']);
    await sees({ 80: false, 443: false });
    // Whoever has a connection yet is answered on it for the last time.
    expect(await onKept()).toMatchObject({ status: 200, headers: { connection: 'close' } });
    expect(await onSession()).toBe(200);
    await told;
    session.close();
    const headers = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-key': 'AA==' };
    const socket = await visitor.ask(server(0), '/api/version', { headers });
    expect(socket).toMatchObject({ status: 101, headers: { connection: 'Upgrade' } });
    await eventually(
      'a healthy Caddy',
      30,
      async () => (await health(0)) === 'healthy' || undefined,
    );
    await environment.hosts[0]?.read(['rm', '/opt/compta/caddy/state/out-of-rotation']);
    await sees({ 80: true, 443: true });
  }, 100_000);
});

describe('the public address', () => {
  beforeAll(async () => {
    await eventually('both servers in rotation', 30, async () => {
      const trusted = await Promise.all(at.servers.map((each) => balancer.trusts(443, each)));
      return trusted.every(Boolean) || undefined;
    });
  }, 180_000);

  test('HTTP is led to HTTPS', async () => {
    const answer = await visitor.ask(at.balancer, `http://${name}/entries?year=2026`);
    expect(answer.status).toBe(308);
    expect(answer.headers.location).toBe(`https://${name}/entries?year=2026`);
    for (const header of telling) expect(answer.headers).not.toHaveProperty(header);
  });

  test('TLS 1.1 is refused by the server, 1.2 and 1.3 are not', async () => {
    await expect(visitor.handshake(at.balancer, 'TLSv1.1')).rejects.toMatchObject({
      code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
    });
    await expect(visitor.handshake(at.balancer, 'TLSv1.2')).resolves.toMatch(/^[0-9A-F]+$/);
    await expect(visitor.handshake(at.balancer, 'TLSv1.3')).resolves.toMatch(/^[0-9A-F]+$/);
  });

  test("services and log have the client's address, whatever the client says itself", async () => {
    const headers = { 'x-forwarded-for': '8.8.8.8' };
    for (let turn = 0; turn < 4; turn++) {
      const { body } = await visitor.ask(at.balancer, `/api/version`, { headers });
      expect(JSON.parse(body)).toMatchObject({ caller: at.visitor });
    }
    for (const index of [0, 1])
      expect(await caddyLog(index)).toContain(`"client_ip":"${at.visitor}"`);
  });

  test('a PROXY header of anybody but the load balancer is not believed', async () => {
    const curl = ['curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', '--max-time', '4'];
    const url = `http://${server(0)}/healthz`;
    const other = await environment.hosts[1]?.read([...curl, '--haproxy-protocol', url], {
      allowFailure: true,
    });
    // 000: the connection was closed before curl had sent, and read, all of it.
    expect(['400', '000']).toContain(other?.stdout);
    expect((await environment.hosts[1]?.read([...curl, url]))?.stdout).toBe('200');
  });

  test('answers carry what keeps a browser safe', async () => {
    expectProtection(await visitor.ask(at.balancer, '/'));
    expectProtection(await visitor.ask(at.balancer, '/actuator'));
  });

  test('pages of the one other origin may call the API, no others', async () => {
    const preflight = (origin: string) =>
      visitor.ask(at.balancer, '/api/accounting/entries', {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'POST' },
      });
    const allowed = await preflight(app);
    expect(allowed.status).toBe(204);
    expect(allowed.headers).toMatchObject({
      'access-control-allow-origin': app,
      'access-control-allow-methods': expect.stringContaining('POST'),
      'access-control-allow-headers': 'Authorization, Content-Type',
      vary: expect.stringContaining('Origin'),
    });
    const refused = await preflight('https://elsewhere.test');
    expect(refused.headers).not.toHaveProperty('access-control-allow-origin');
    const { headers } = await visitor.ask(at.balancer, '/api/version', {
      headers: { origin: app },
    });
    expect(headers).toMatchObject({ 'access-control-allow-origin': app });
  });

  test('a body over 10 MB is refused, one below is not', async () => {
    const post = (size: number) =>
      visitor.ask(at.balancer, '/api/accounting/entries', {
        method: 'POST',
        body: 'x'.repeat(size),
      });
    expect((await post(9_000_000)).status).toBe(200);
    // Who is still sending may find the connection closed before reading why: asked again.
    const refused = await eventually('an answer to 11 MB', 30, () => post(11_000_000));
    expect(refused.status).toBe(413);
    expectProtection(refused);
  });

  test('the access log holds no secret', async () => {
    const secret = 'sentinel-3f9c';
    const url = `/api/version?token=${secret}`;
    const headers = { authorization: secret, cookie: secret, referer: `https://${name}${url}` };
    for (let turn = 0; turn < 2; turn++) await visitor.ask(at.balancer, url, { headers });
    await visitor.ask(at.balancer, `http://${name}${url}`, { headers });
    const logs = (await caddyLog(0)) + (await caddyLog(1));
    expect(logs).toContain('"uri":"/api/version"');
    expect(logs).not.toContain(secret);
  });

  test('a challenge that nobody asked for is answered by none', async () => {
    const { status } = await visitor.ask(server(0), `http://${name}/.well-known/acme-challenge/x`);
    expect(status).toBe(404);
  });

  test('management stays inside', async () => {
    expect((await visitor.ask(at.balancer, '/actuator/health')).status).toBe(404);
  });
});

describe('a client over the limit', () => {
  const page = '/api/accounting/entries';
  let address: string;
  let greedy: Visitor;
  const asks = (url: string, headers: Record<string, string> = {}) =>
    greedy.ask(at.balancer, url, { headers });
  const statuses = async (url: string, count: number): Promise<number[]> => {
    const answers = await Promise.all(Array.from({ length: count }, () => asks(url)));
    return answers.map(({ status }) => status);
  };

  /** An answer to somebody over the limit, which holds for ten seconds alone: reached anew until then. */
  const refused = (url: string, headers: Record<string, string>) =>
    eventually('a refusal', 30, async () => {
      await statuses(page, limit);
      const answer = await asks(url, headers);
      return answer.status === 429 ? answer : undefined;
    });

  beforeAll(async () => {
    address = at.visitor.replace(/\d+$/, '78');
    greedy = new Visitor(name, address);
    greedy.trusted = visitor.trusted;
    // Not counted: all that it may ask is still left.
    expect(new Set(await statuses('/healthz', 3 * limit))).toEqual(new Set([200]));
    const asked = await statuses(page, 3 * limit);
    // By two servers, of which each counts for itself.
    expect(asked.filter((status) => status === 200)).toHaveLength(2 * limit);
  }, 180_000);

  test('is told when to come back, in an answer that a page of the other origin may read', async () => {
    const answer = await refused(page, { origin: app });
    expectProtection(answer);
    const { headers } = answer;
    expect(Number(headers['retry-after'])).toBeGreaterThanOrEqual(1);
    expect(Number(headers['retry-after'])).toBeLessThanOrEqual(11);
    expect(headers).toMatchObject({ 'access-control-allow-origin': app });
  });

  test('is alone with it: others are served, health checks and services as well', async () => {
    expect((await visitor.ask(at.balancer, page)).status).toBe(200);
    expect((await asks('/healthz')).status).toBe(200);
    const host = environment.hosts[0] as Host;
    const { edge } = await host.state();
    const curl = ['curl', '-s', '-o', '/dev/null', '-w', '%{http_code} '];
    const url = `http://${edge?.address}${page}?[1-${2 * limit}]`;
    const inside = await host.read([...curl, '-H', 'Host: api-gateway', url]);
    expect(inside.stdout.trim().split(' ')).toEqual(Array(2 * limit).fill('200'));
  });

  test('is named in the log, without what it asked with', async () => {
    const secret = 'sentinel-81d0';
    await refused(`${page}?token=${secret}`, { authorization: secret });
    for (const host of environment.hosts) {
      const { stdout } = await host.read(['sh', '-c', 'docker logs compta-caddy-1 2>&1']);
      expect(stdout.includes('rate limit exceeded","zone":"client"')).toBe(true);
      expect(stdout.includes(`"remote_ip":"${address}"`)).toBe(true);
      expect(stdout.includes(secret)).toBe(false);
    }
  });
});

describe('a release', () => {
  const caddies = () =>
    Promise.all(
      environment.test.hosts.map((host) =>
        host.docker('inspect', '-f', '{{.Id}} {{.State.StartedAt}}', 'compta-caddy-1'),
      ),
    );
  const asset = (version: string, index: number) =>
    visitor.ask(server(index), `/assets/index-${version}.js`);

  test('leaves Caddy alone, and every page finds its assets on every server all the while', async () => {
    const before = await caddies();
    const seen: number[] = [];
    const probes: Promise<void>[] = [];
    const probe = async (): Promise<void> => {
      for (const version of ['1.0.0', '2.0.0']) {
        for (const index of [0, 1]) seen.push((await asset(version, index)).status);
      }
    };
    await release('2.0.0', ['api-gateway'], ({ host, kind, what }) => {
      // The first server has the new gateway, the second one still the old.
      if (host === 'app-2' && kind === 'begin' && /^start api-gateway/.test(what)) {
        probes.push(probe());
      }
    });
    await Promise.all(probes);
    await probe();
    expect(seen).toEqual([200, 200, 200, 200, 200, 200, 200, 200]);
    expect(await caddies()).toEqual(before);
  }, 120_000);

  test('an old asset is as cacheable as a new one, and one of no release is not there', async () => {
    const old = await asset('1.0.0', 0);
    expect(old.body).toBe('"1.0.0"');
    expect(old.headers).toMatchObject({
      'cache-control': 'public, max-age=31536000, immutable',
      'content-type': expect.stringContaining('javascript'),
    });
    expect((await asset('0.9.0', 0)).status).toBe(404);
  });

  test('that changes Caddy itself loses no request on a connection that is kept', async () => {
    const before = await caddies();
    let over = false;
    const failed: string[] = [];
    // Each has an address of its own, as there is a limit for each, and asks within the drain.
    const asking = Array.from({ length: 120 }, async (_, index) => {
      const person = new Visitor(name, at.visitor.replace(/\d+$/, String(100 + index)));
      person.trusted = visitor.trusted;
      const agent = new Agent({ keepAlive: true });
      const path = `/api/version?delay=${index % 3 === 0 ? 500 : 0}`;
      while (!over) {
        const sent = new Date().toISOString();
        const answer = person.ask(at.balancer, path, { agent, method: 'POST', body: '{}' });
        const status = await answer.then(({ status }) => status, String);
        if (status !== 200) failed.push(`${sent} ${path}: ${status}`);
        await sleep(450);
      }
      agent.destroy();
    });
    await release('2.0.0', ['api-gateway'], undefined, { SITE_CORS_ORIGIN: 'https://b.test' });
    over = true;
    await Promise.all(asking);
    expect(failed).toEqual([]);
    for (const [index, caddy] of (await caddies()).entries()) expect(caddy).not.toBe(before[index]);
  }, 120_000);
});

test('both certificates are renewed, though every challenge reaches the second server', async () => {
  await eventually('two new certificates', 2 * lifetime, async () => {
    const now = await serials();
    return now.every((serial) => !first.includes(serial)) || undefined;
  });
}, 150_000);
