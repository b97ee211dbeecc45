import { describe, expect, it } from '@jest/globals';
import { type Offers, offerFindings } from '../src/offers.ts';
import { violations } from '../src/policy.ts';
import { hcloudVersion, refuseOldProvider } from '../src/provider.ts';
import { planOf, resource } from './fixtures.ts';

const labels = { environment: 'staging', 'managed-by': 'terraform' };
const production = { ...labels, environment: 'production' };
const created = (address: string, after: object, more: object = {}) =>
  resource(address, ['create'], null, after, more);
const server = (more: object = {}) => ({ name: 'db-1', labels, firewall_ids: [1], ...more });
const rule = (more: object) => ({
  direction: 'in',
  protocol: 'tcp',
  port: '22',
  source_ips: ['203.0.113.7/32'],
  ...more,
});
const firewall = (more: object) => created('hcloud_firewall.a', { labels, rule: [rule(more)] });

const broken = (...resources: object[]) =>
  violations(planOf(resources)).map(({ rule: name, address }) => `${name} ${address}`);

describe('the policy', () => {
  it('has nothing against what keeps to it', () => {
    expect(
      broken(
        created('hcloud_server.a', server({ placement_group_id: 7 })),
        created('hcloud_load_balancer_target.a', { type: 'server', use_private_ip: true }),
        firewall({}),
      ),
    ).toEqual([]);
  });

  it.each([
    [
      'SSH open to everybody',
      'private-port-open hcloud_firewall.a',
      [firewall({ source_ips: ['0.0.0.0/0'] })],
    ],
    [
      'a database open over IPv6',
      'private-port-open hcloud_firewall.a',
      [firewall({ port: '5432', source_ips: ['::/0'] })],
    ],
    [
      'a range that has SSH in it',
      'private-port-open hcloud_firewall.a',
      [firewall({ port: '1-1024', source_ips: ['0.0.0.0/0'] })],
    ],
    [
      'all ports',
      'private-port-open hcloud_firewall.a',
      [firewall({ port: 'any', source_ips: ['0.0.0.0/0'] })],
    ],
    [
      'a server in no firewall',
      'server-without-firewall hcloud_server.a',
      [created('hcloud_server.a', server({ firewall_ids: [] }))],
    ],
    [
      'production without protection',
      'production-unprotected hcloud_volume.a',
      [created('hcloud_volume.a', { labels: production, delete_protection: false })],
    ],
    [
      'a load balancer over the internet',
      'public-load-balancer-target hcloud_load_balancer_target.a',
      [created('hcloud_load_balancer_target.a', { type: 'server', use_private_ip: false })],
    ],
    [
      'no labels',
      'labels-missing hcloud_network.a',
      [created('hcloud_network.a', { labels: { environment: 'x' } })],
    ],
    [
      'a readable secret in user_data',
      'secret-in-user-data hcloud_server.a',
      [created('hcloud_server.a', server({ user_data: '#cloud-config\npassword: hunter2' }))],
    ],
    [
      'a sensitive value in user_data',
      'secret-in-user-data hcloud_server.a',
      [created('hcloud_server.a', server(), { after_sensitive: { user_data: true } })],
    ],
  ])('refuses %s', (_what, expected, resources) => {
    expect(broken(...resources)).toEqual([expected]);
  });

  it('wants siblings in a placement group, and lets a single server be', () => {
    const one = created('hcloud_server.one', server({ name: 'app-1' }));
    const two = created('hcloud_server.two', server({ name: 'app-2' }));
    expect(broken(one)).toEqual([]);
    expect(broken(one, two)).toEqual([
      'siblings-without-placement-group hcloud_server.one',
      'siblings-without-placement-group hcloud_server.two',
    ]);
  });

  it('has nothing against what only the apply will know', () => {
    const unknown = { labels: true, firewall_ids: true, placement_group_id: true };
    const one = created('hcloud_server.one', { name: 'app-1' }, { after_unknown: unknown });
    const two = created('hcloud_server.two', { name: 'app-2' }, { after_unknown: unknown });
    expect(broken(one, two)).toEqual([]);
  });

  it('lets the host key of the first contact travel in user_data', () => {
    const module_address = 'module.server["a"]';
    const made = created('module.server["a"].hcloud_server.this', server(), {
      after_sensitive: { user_data: true },
    });
    const key = created('module.server["a"].tls_private_key.host', {});
    expect(broken({ ...made, module_address }, { ...key, module_address })).toEqual([]);
  });

  it('looks at what stays, and not at what goes', () => {
    const open = { labels, rule: [rule({ source_ips: ['0.0.0.0/0'] })] };
    expect(broken(resource('hcloud_firewall.a', ['no-op'], open, open))).toHaveLength(1);
    expect(broken(resource('hcloud_firewall.a', ['delete'], open, null))).toEqual([]);
  });
});

const ENDING = { unavailable_after: '2027-01-01T00:00:00Z' };
const OFFERS: Offers = {
  serverTypes: [
    { name: 'cpx22', deprecation: null, locations: [{ name: 'nbg1', available: true }] },
    { name: 'cx23', deprecation: null, locations: [{ name: 'nbg1', available: false }] },
    { name: 'cx22', deprecation: ENDING, locations: [{ name: 'nbg1', available: true }] },
  ],
  loadBalancerTypes: [
    { name: 'lb11', deprecation: null },
    { name: 'lb01', deprecation: ENDING },
  ],
  deprecatedImages: ['debian-11'],
};

describe('what Hetzner sells', () => {
  const of = (server_type: string, actions: 'create' | 'no-op' = 'create', more = {}) => {
    const after = { server_type, location: 'nbg1', image: 'debian-12', ...more };
    return offerFindings(planOf([resource('hcloud_server.a', [actions], null, after)]), OFFERS);
  };

  it('is no matter while it is on sale', () => {
    expect(of('cpx22')).toEqual({ warnings: [], violations: [] });
  });

  it('warns of a type that cannot be ordered there', () => {
    expect(of('cx23').warnings).toEqual([
      'hcloud_server.a: server type cx23 cannot be ordered in nbg1 now.',
    ]);
    expect(of('cpx22', 'create', { location: 'hel1' }).warnings).toHaveLength(1);
  });

  it('refuses a new server of a deprecated type or image, and warns of a running one', () => {
    expect(of('cx22').violations).toMatchObject([{ rule: 'deprecated-type' }]);
    expect(of('cx22', 'no-op')).toMatchObject({
      warnings: [expect.stringContaining('ends on 2027-01-01')],
      violations: [],
    });
    expect(of('cpx22', 'create', { image: 'debian-11' }).violations).toMatchObject([
      { rule: 'deprecated-image' },
    ]);
  });
});

describe('a load balancer', () => {
  it('of a type that ends is refused when it is new, and warned of when it runs', () => {
    const of = (load_balancer_type: string, actions: 'create' | 'no-op' = 'create') => {
      const balancer = resource('hcloud_load_balancer.a', [actions], null, { load_balancer_type });
      return offerFindings(planOf([balancer]), OFFERS);
    };
    expect(of('lb11')).toEqual({ warnings: [], violations: [] });
    expect(of('lb01').violations).toMatchObject([{ rule: 'deprecated-type' }]);
    expect(of('lb01', 'no-op').warnings).toEqual([
      'hcloud_load_balancer.a: load balancer type lb01 is deprecated and ends on 2027-01-01.',
    ]);
  });
});

describe('the provider', () => {
  const lock = (version: string) =>
    `provider "registry.terraform.io/hashicorp/tls" {\n  version = "4.1.0"\n}\n\nprovider "registry.terraform.io/hetznercloud/hcloud" {\n  version     = "${version}"\n}\n`;

  it.each(['1.57.0', '1.9.0', '0.99.0'])('is refused at %s, with the reason', (version) => {
    expect(hcloudVersion(lock(version))).toBe(version);
    expect(() => refuseOldProvider(lock(version))).toThrow(/plans to replace every server/);
  });

  it.each(['1.58.0', '1.68.0', '2.0.0'])('is welcome at %s', (version) => {
    expect(() => refuseOldProvider(lock(version))).not.toThrow();
  });

  it('is no matter where it is not used', () => {
    expect(() => refuseOldProvider('')).not.toThrow();
  });
});
