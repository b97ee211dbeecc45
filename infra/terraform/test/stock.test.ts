import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { serverTypes } from '../../../local-cloud/hetzner/catalogue.ts';
import { TOKEN } from '../../../local-cloud/hetzner/test/client.ts';
import { copyOfTheCode } from './terraform.ts';

jest.setTimeout(300_000);

const code = copyOfTheCode();
let soldOut: string[] = [];
let server: Server;
let terraform: ReturnType<typeof code.terraform>;

/** Hetzner's catalogue on a day on which cpx22 is sold out in some locations. */
beforeAll(async () => {
  server = createServer((_request, response) => {
    const found = serverTypes
      .filter(({ name }) => name === 'cpx22')
      .map((type) => ({
        ...type,
        locations: type.locations.map((offer) => ({
          ...offer,
          available: !soldOut.includes(offer.name),
        })),
      }));
    const pagination = { page: 1, per_page: 25, last_page: 1, total_entries: found.length };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ server_types: found, meta: { pagination } }));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  terraform = code.terraform('modules/stock/examples/basic', {
    HCLOUD_ENDPOINT: `http://127.0.0.1:${port}/v1`,
    HCLOUD_TOKEN: TOKEN,
  });
  await terraform.init();
});

afterAll(async () => {
  await new Promise((done) => server.close(done));
  code.remove();
});

describe('a cpx22 that is wanted in nbg1, fsn1 or hel1', () => {
  it.each([
    ['is ordered where it is wanted most', [], 'nbg1'],
    ['goes to the next location when it is sold out there', ['nbg1'], 'fsn1'],
    ['goes to the last one that has it', ['nbg1', 'fsn1'], 'hel1'],
  ])('%s', async (_name, sold, location) => {
    soldOut = sold;
    const plan = await terraform.plan();
    expect(plan.output).toContain(`+ location = "${location}"`);
    expect(plan.output).not.toContain('Warning');
  });

  it('is warned of, and does not stop the plan, when no location has it', async () => {
    soldOut = ['nbg1', 'fsn1', 'hel1'];
    const plan = await terraform.plan();
    expect(plan).toMatchObject({ code: 2 });
    expect(plan.output).toContain('+ location = "nbg1"');
    expect(plan.output).toContain('Warning: Check block assertion failed');
    expect(plan.output).toContain('cpx22 is sold out in nbg1, fsn1, hel1.');
  });
});
