import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { READ_ONLY_TOKEN, startCloud, TOKEN } from '../../../local-cloud/hetzner/test/client.ts';
import { type Ended, startAction } from '../../runner/test/start-action.ts';
import { keyPair } from '../../ssh/key-pair.ts';

/** The bundles of the actions that reach servers, against Hetzner's API; nobody answers SSH. */
let cloud: Awaited<ReturnType<typeof startCloud>>;
const folder = mkdtempSync(join(tmpdir(), 'compta-access-'));
const outputsOfDev = join(folder, 'outputs-dev.json');
let firewall: number;
const inputs: Record<string, Record<string, string>> = {};

beforeAll(async () => {
  cloud = await startCloud();
  const made = await cloud.done(cloud.post('/firewalls', { name: 'staging-runners' }));
  firewall = made.firewall.id;

  const host_key = keyPair().public;
  const server = (role: string, last: number, public_ip: string | null = null) => ({
    role,
    private_ip: `127.0.0.${last}`,
    public_ip,
    host_key,
    volume_device: null,
  });
  const outputs = join(folder, 'outputs.json');
  const environment = {
    environment: 'staging',
    servers: {
      bastion: server('bastion', 1, '127.0.0.1'),
      app: server('application', 2),
      db: server('database', 3),
    },
    bastion: 'bastion',
    load_balancer: { public_ip: '203.0.113.9', private_ip: '10.0.1.5' },
    network_cidr: '10.0.0.0/16',
    ssh: { user: 'deploy', port: 1 },
  };
  writeFileSync(outputs, JSON.stringify(environment));
  writeFileSync(outputsOfDev, JSON.stringify({ ...environment, environment: 'dev' }));
  writeFileSync(join(folder, 'site.yml'), '- hosts: all\n');
  mkdirSync(join(folder, 'inventory'));

  const common = {
    'terraform-outputs': outputs,
    'private-key': keyPair().private,
    'runner-access': 'true',
    'hcloud-token': TOKEN,
    'runner-address': '198.51.100.9',
  };
  const repository = new URL('../../../', import.meta.url).pathname;
  inputs['action-ansible'] = {
    ...common,
    directory: folder,
    playbook: 'site.yml',
    inventory: 'inventory',
    'retry-unreachable': '0',
  };
  inputs['action-db-migrate'] = { ...common, database: 'compta_auth', locations: folder };
  inputs['action-deploy'] = {
    ...common,
    environment: 'staging',
    version: '1.0.0',
    images: `auth-service: registry/compta/auth-service@sha256:${'a'.repeat(64)}`,
    variables: JSON.stringify({
      CADDY_IMAGE: `registry/caddy@sha256:${'c'.repeat(64)}`,
      DATABASE_HOST: '10.0.1.11',
      SITE_ADDRESS: ':80',
    }),
    'compose-file': join(repository, 'infra/docker/compose/staging/docker-compose.yml.j2'),
    caddyfile: join(repository, 'infra/docker/Caddyfile'),
  };
  inputs['action-rollback'] = {
    ...common,
    environment: 'staging',
    reason: 'wrong totals',
    confirm: 'staging',
  };
}, 180_000);
afterAll(async () => {
  await cloud?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const ACTIONS = ['action-ansible', 'action-db-migrate', 'action-deploy', 'action-rollback'];

function step(action: string, more: Record<string, string> = {}, state?: Ended['state']) {
  const env = {
    HCLOUD_ENDPOINT: cloud.api.url,
    RUNNER_TOOL_CACHE: process.env.RUNNER_TOOL_CACHE ?? '',
    ...Object.fromEntries(
      Object.entries(state ?? {}).map(([name, value]) => [`STATE_${name}`, value]),
    ),
  };
  const entry = state === undefined ? 'main' : 'post';
  return startAction(action, { ...inputs[action], ...more }, env, entry).ended;
}

const rules = async (): Promise<{ description: string; port: string; source_ips: string[] }[]> =>
  (await cloud.get(`/firewalls/${firewall}`)).body.firewall.rules;

describe("the bastion's door", () => {
  it('is opened to each of four jobs at once, and closed when each has ended', async () => {
    const stale = {
      direction: 'in',
      protocol: 'tcp',
      port: '1',
      source_ips: ['198.51.100.77/32'],
      description: 'runner of compta/compta run 41 (killed) until 2026-01-01T00:00:00.000Z',
    };
    await cloud.done(cloud.post(`/firewalls/${firewall}/actions/set_rules`, { rules: [stale] }));

    const ended = await Promise.all(ACTIONS.map((action) => step(action)));
    for (const { stdout, exitCode } of ended) {
      expect(stdout).toContain("Opened port 1 of staging's bastion for 198.51.100.9.");
      expect(exitCode).toBe(1); // Nobody answers behind it.
    }
    const open = await rules();
    expect(open).toHaveLength(ACTIONS.length);
    for (const rule of open) {
      expect(rule).toMatchObject({ port: '1', source_ips: ['198.51.100.9/32'] });
      expect(rule.description).toMatch(/^runner of compta\/compta run 42 \([0-9a-f]{8}\) until /);
    }

    const posts = await Promise.all(
      ACTIONS.map((action, index) => step(action, {}, ended[index]?.state)),
    );
    for (const { stdout } of posts) expect(stdout).toContain("Closed the bastion's port");
    expect(await rules()).toEqual([]);
  }, 120_000);

  it.each(ACTIONS)(
    'stays shut in %s when nobody asks',
    async (action) => {
      const requests = cloud.machinery.calls.length;
      const { stdout } = await step(action, { 'runner-access': '' });
      expect(stdout).not.toContain('Opened');
      expect(cloud.machinery.calls).toHaveLength(requests);
    },
    180_000,
  );
});

describe('a wrong input', () => {
  const wrong: [string, Record<string, string>, string][] = [
    ['runner-access', { 'runner-access': 'yes' }, "Input 'runner-access' is 'yes': give true or"],
    ['hcloud-token', { 'hcloud-token': '' }, "Input 'hcloud-token' is missing: 'runner-access'"],
    [
      'runner-address',
      { 'runner-address': 'http://my.address' },
      "Input 'runner-address' is 'http://my.address': give an IPv4 address, or an https URL",
    ],
  ];
  it.each(
    ACTIONS.flatMap((action) => wrong.map(([name, more, said]) => ({ action, name, more, said }))),
  )('$name of $action ends with one annotation', async ({ action, more, said }) => {
    const ended = await step(action, more);
    expect(ended).toMatchObject({ exitCode: 1, state: {} });
    expect(ended.errors).toEqual([expect.stringContaining(said)]);
  });

  it.each([
    ['a token that may only read', { 'hcloud-token': READ_ONLY_TOKEN }, /403.*token_readonly/],
    [
      'an environment that Terraform has not made',
      { 'terraform-outputs': outputsOfDev, environment: 'dev', confirm: 'dev' },
      /no firewall 'dev-runners' in the project of this token/,
    ],
  ])('%s ends it with what Hetzner says', async (_what, more, said) => {
    const { errors } = await step('action-rollback', more);
    expect(errors).toEqual([expect.stringMatching(said)]);
    expect(await rules()).toEqual([]);
  });

  it('is runner-access without an environment to open', async () => {
    const more = { 'terraform-outputs': '', 'known-hosts': `127.0.0.1 ${keyPair().public}` };
    const { errors } = await step('action-ansible', more);
    expect(errors).toEqual([expect.stringContaining("'runner-access' needs 'terraform-outputs'")]);
  });
});
