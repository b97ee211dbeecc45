import { createServer, request as forward, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startCloud, TOKEN } from '../../../local-cloud/hetzner/test/client.ts';
import { hetznerApi } from '../../hetzner/api.ts';
import { close, open } from '../firewall.ts';
import type { Rule } from '../rules.ts';
import { pauseAfter, takeTurn } from '../turn.ts';

/** Runners that change one firewall, which Hetzner's API lets nobody change in part. */
let cloud: Awaited<ReturnType<typeof startCloud>>;
let firewall: number;
const never = new AbortController().signal;
const apiAt = (url: string) => hetznerApi(TOKEN, { HCLOUD_ENDPOINT: url }, never);
const accessOf = (owner: string) => ({ address: '198.51.100.9', port: 2222, owner });
const owners = async () => {
  const { rules } = (await cloud.get(`/firewalls/${firewall}`)).body.firewall as { rules: Rule[] };
  return rules.map(({ description }) => /^runner of (.+) until /.exec(description ?? '')?.[1]);
};
const turns = async () => (await cloud.get(`/firewalls?name=turn-of-firewall-${firewall}`)).body;

beforeAll(async () => {
  cloud = await startCloud();
});
afterAll(() => cloud?.stop());
beforeEach(async () => {
  const name = `runners-${Math.random()}`;
  firewall = (await cloud.done(cloud.post('/firewalls', { name }))).firewall.id;
});

describe('runners at once', () => {
  it('each get their rule and take away their own, and nothing else is left', async () => {
    const names = ['run 1 (aa)', 'run 2 (bb)', 'run 3 (cc)'];
    const api = apiAt(cloud.api.url);
    await Promise.all(names.map((name) => open(api, firewall, accessOf(name))));
    expect((await owners()).sort()).toEqual(names);
    await Promise.all(names.slice(1).map((name) => close(api, firewall, name)));
    expect(await owners()).toEqual(names.slice(0, 1));
    expect(await turns()).toMatchObject({ firewalls: [] });
  }, 180_000);
});

describe('rules that were sent, and not answered', () => {
  it('are not sent again as they were: another rule may have come by then', async () => {
    const sent: string[][] = [];
    const url = await doorTo(cloud.api.url, async ({ url: path }, body) => {
      if (!path?.endsWith('/set_rules')) return true;
      const { rules } = JSON.parse(body) as { rules: Rule[] };
      sent.push(rules.map(({ description }) => description ?? ''));
      if (sent.length > 1) return true;
      const until = new Date(Date.now() + 60_000).toISOString();
      const description = `runner of somebody (dd) until ${until}`;
      const rule = { direction: 'in', protocol: 'tcp', port: '2222', description };
      const other = { rules: [{ ...rule, source_ips: ['198.51.100.1/32'] }] };
      await cloud.done(cloud.post(`/firewalls/${firewall}/actions/set_rules`, other));
      return false;
    });
    await open(apiAt(url), firewall, accessOf('run 4 (ee)'));
    expect(sent.map((rules) => rules.length)).toEqual([1, 2]);
    expect(await owners()).toEqual(['somebody (dd)', 'run 4 (ee)']);
  }, 180_000);
});

describe('a turn', () => {
  it('is waited for, and ends', async () => {
    const api = apiAt(cloud.api.url);
    const first = await takeTurn(api, firewall, 'run 5 (ff)');
    let came = false;
    const second = takeTurn(api, firewall, 'run 6 (ab)').then((turn) => {
      came = true;
      return turn;
    });
    await sleep(600);
    expect(came).toBe(false);
    await first.end();
    await (await second).end();
    expect(await turns()).toMatchObject({ firewalls: [] });
  });

  it('that an interrupted step of the same job left is taken up at once', async () => {
    const api = apiAt(cloud.api.url);
    await takeTurn(api, firewall, 'run 7 (ac)');
    await (await takeTurn(api, firewall, 'run 7 (ac)')).end();
  });

  it('of a runner that was killed is over after a while', async () => {
    const api = apiAt(cloud.api.url);
    await takeTurn(api, firewall, 'run 8 (ad)');
    const began = Date.now();
    const next = await takeTurn(api, firewall, 'run 9 (ae)', 500);
    expect(Date.now() - began).toBeGreaterThan(500);
    await next.end();
  });

  it('that does not end is asked for ever more seldom: the project has one request a second', () => {
    expect(pauseAfter(1_000)).toBe(200);
    let asked = 0;
    for (let waited = 0; waited < 120_000; waited += pauseAfter(waited)) asked += 1;
    expect(asked).toBeLessThan(70);
  });
});

const closing: (() => void)[] = [];
afterAll(() => {
  for (const end of closing) end();
});

/** The API behind a door that answers 502 to what it does not let through (false). */
async function doorTo(
  base: string,
  door: (request: IncomingMessage, body: string) => Promise<boolean>,
): Promise<string> {
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    if (!(await door(request, body))) return void response.writeHead(502).end();
    const { method, headers, url } = request;
    const onward = forward(`${base}${url}`, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.end(body);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  closing.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
