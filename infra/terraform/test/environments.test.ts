import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { costOf } from '../../../action-terraform/src/cost.ts';
import { parsePlan } from '../../../action-terraform/src/plan.ts';
import { fetchPrices } from '../../../action-terraform/src/prices.ts';
import { hetznerApi } from '../../../lib/hetzner/api.ts';
import { parseTerraformOutputs, serversOf } from '../../../lib/inventory/inventory.ts';
import { close, open, runnersFirewall } from '../../../lib/runner-access/firewall.ts';
import { startCloud, TOKEN } from '../../../local-cloud/hetzner/test/client.ts';
import { copyOfTheCode } from './terraform.ts';

jest.setTimeout(300_000);

interface Named {
  id: number;
  name: string;
  labels: Record<string, string>;
}

interface Server extends Named {
  public_net: { firewalls: { id: number }[] };
  placement_group: { name: string } | null;
  backup_window: string | null;
}

interface Firewall extends Named {
  rules: { direction: string; port: string; source_ips: string[] }[];
}

interface LoadBalancer extends Named {
  services: {
    listen_port: number;
    proxyprotocol: boolean;
    health_check: { port: number; http: { path: string } };
  }[];
}

/** As in terraform.tfvars.example. */
const ADMIN = '203.0.113.7/32';
const PROTECTED = ['servers', 'volumes', 'load_balancers', 'networks'];
const COLLECTIONS = [...PROTECTED, 'firewalls', 'ssh_keys', 'placement_groups'];

const ENVIRONMENTS = [
  { environment: 'production', applications: 2, volumes: ['production-db-1'], backups: 'all' },
  { environment: 'staging', applications: 2, volumes: ['staging-db-1'], backups: 'database' },
  { environment: 'dev', applications: 1, volumes: [], backups: 'none' },
];

const root = resolve(import.meta.dirname, '../../..');
const textOf = (file: string) => readFileSync(join(root, file), 'utf8');

const code = copyOfTheCode();
afterAll(() => code.remove());

describe.each(ENVIRONMENTS)('$environment', (expected) => {
  const { environment, volumes } = expected;
  let cloud: Awaited<ReturnType<typeof startCloud>>;
  let terraform: ReturnType<typeof code.terraform>;

  beforeAll(async () => {
    cloud = await startCloud();
    terraform = code.terraform(`environments/${environment}`, {
      HCLOUD_ENDPOINT: cloud.api.url,
      HCLOUD_TOKEN: TOKEN,
    });
    terraform.settleHere();
    expect(await terraform.init('-lockfile=readonly')).toMatchObject({ code: 0 });
  });
  afterAll(() => cloud.stop());

  const api = () =>
    hetznerApi(TOKEN, { HCLOUD_ENDPOINT: cloud.api.url }, new AbortController().signal);
  const all = async <T extends Named>(collection: string): Promise<T[]> =>
    (await cloud.get(`/${collection}`)).body[collection];
  const everything = async () => (await Promise.all(COLLECTIONS.map((of) => all(of)))).flat();

  it('comes into being by one apply', async () => {
    expect(await terraform.apply()).toMatchObject({ code: 0 });
    const inventory = parseTerraformOutputs(await terraform.outputs());
    expect(inventory.environment).toBe(environment);
    expect(inventory.bastion.name).toBe(`${environment}-bastion-1`);
    expect(serversOf(inventory, 'application')).toHaveLength(expected.applications);
    const devices = inventory.servers.filter((server) => server.volumeDevice !== null);
    expect(devices.map(({ name }) => name)).toEqual(volumes);
  });

  it('has nothing to change then, and costs what is written of it', async () => {
    expect(await terraform.plan('-out=plan')).toMatchObject({ code: 0 });
    const { after } = costOf(parsePlan(await terraform.show('plan')), await fetchPrices(api()));
    const said = `About ${Math.round(after)} EUR a month net`;
    expect(textOf(`infra/terraform/environments/${environment}/README.md`)).toContain(said);
    const row = new RegExp(`^\\| ${environment} \\|.*\\| ${Math.round(after)} \\|$`, 'm');
    expect(textOf('docs/terraform.md')).toMatch(row);
  });

  it('labels everything that it made', async () => {
    for (const { name, labels } of await everything()) {
      const wanted = { environment, 'managed-by': 'terraform', role: expect.any(String) };
      expect({ name, labels }).toEqual({ name, labels: expect.objectContaining(wanted) });
    }
  });

  it('lets in SSH on the bastion from the administrators, and nothing else', async () => {
    const firewalls = await all<Firewall>('firewalls');
    for (const { name, labels, public_net } of await all<Server>('servers')) {
      const rules = public_net.firewalls.flatMap(
        ({ id }) => firewalls.find((firewall) => firewall.id === id)?.rules,
      );
      const door = { direction: 'in', port: '2222', source_ips: [ADMIN] };
      expect(public_net.firewalls).toHaveLength(labels.role === 'bastion' ? 2 : 1);
      expect({ name, rules }).toEqual({
        name,
        rules: labels.role === 'bastion' ? [expect.objectContaining(door)] : [],
      });
    }
  });

  it('opens the bastion to a runner without a drift, and closes it without a trace', async () => {
    const firewall = await runnersFirewall(api(), environment);
    const owner = 'compta/deploy run 1 (0)';
    await open(api(), firewall, { address: '198.51.100.9', port: 2222, owner });
    const inbound = () => cloud.machinery.state.firewalls.flatMap((policy) => policy.inbound);
    expect(inbound()).toContainEqual({
      protocol: 'tcp',
      port: '2222',
      sourceIps: ['198.51.100.9/32'],
    });
    expect(await terraform.plan()).toMatchObject({ code: 0 });
    expect(await terraform.apply()).toMatchObject({ code: 0 });
    expect(inbound()).toHaveLength(2);
    await close(api(), firewall, owner);
    expect(inbound()).toHaveLength(1);
    expect(await terraform.plan()).toMatchObject({ code: 0 });
  });

  it('spreads its application servers, and has the backups that its README names', async () => {
    for (const { name, labels, placement_group, backup_window } of await all<Server>('servers')) {
      expect({
        name,
        group: placement_group?.name,
        isBackedUp: backup_window !== null,
      }).toEqual({
        name,
        group: labels.role === 'application' ? `${environment}-application` : undefined,
        isBackedUp: ['all', labels.role].includes(expected.backups),
      });
    }
  });

  it('keeps its servers where they are when another location is preferred', async () => {
    const { output } = await terraform.plan('-var=location=hel1');
    expect(output).toContain('module.load_balancer.hcloud_load_balancer.this must be replaced');
    expect(output).not.toMatch(/hcloud_(server|volume)\.this (must be|will be)/);
  });

  if (volumes.length > 0) {
    it('does not let its data be destroyed', async () => {
      const refused = await terraform.destroy();
      expect(refused.code).toBe(1);
      expect(refused.output).toContain('prevent_destroy');
    });
  }

  if (environment === 'production') {
    it('hands 80 and 443 through, each while the server can serve it', async () => {
      const [balancer] = await all<LoadBalancer>('load_balancers');
      const services = balancer?.services.map(({ listen_port, proxyprotocol, health_check }) => {
        return [listen_port, proxyprotocol, health_check.port, health_check.http.path];
      });
      expect(services?.sort()).toEqual([
        [443, true, 80, '/healthz/tls'],
        [80, true, 80, '/healthz'],
      ]);
    });

    it('is protected by the API too', async () => {
      for (const collection of PROTECTED) {
        for (const { id, name } of await all(collection)) {
          const { body } = await cloud.remove(`/${collection}/${id}`);
          expect({ name, code: body.error?.code }).toEqual({ name, code: 'protected' });
        }
      }
    });
  }

  it('goes in the two documented steps, all but its data', async () => {
    const unprotected = await terraform.apply('-var=delete_protection=false');
    expect(unprotected).toMatchObject({ code: 0 });
    for (const volume of volumes) await terraform.forget(`module.volume["${volume}"]`);
    expect(await terraform.destroy()).toMatchObject({ code: 0 });
    expect((await everything()).map(({ name }) => name)).toEqual(
      volumes.map((server) => `${server}-data`),
    );
  });
});
