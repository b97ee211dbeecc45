import { describe, expect, it } from '@jest/globals';
import { type Existing, findAdoptions } from '../src/adoption.ts';
import { planOf, resource } from './fixtures.ts';

const OURS = { environment: 'staging', 'managed-by': 'terraform' };

/** What a killed apply left: a network with its subnet, and a balancer with all of its parts. */
const existing: Existing = {
  ssh_keys: [{ id: 1, name: 'ci', labels: OURS }],
  networks: [{ id: 2, name: 'staging', labels: OURS, subnets: [{ ip_range: '10.0.1.0/24' }] }],
  firewalls: [{ id: 3, name: 'staging-base', labels: { environment: 'staging' } }],
  placement_groups: [{ id: 4, name: 'staging-application', labels: OURS }],
  servers: [
    { id: 5, name: 'staging-app-1', labels: OURS },
    { id: 6, name: 'staging-app-2', labels: { ...OURS, environment: 'production' } },
  ],
  volumes: [{ id: 7, name: 'staging-db-1-data', labels: OURS, server: 5 }],
  load_balancers: [
    {
      id: 8,
      name: 'staging-lb',
      labels: OURS,
      private_net: [{ network: 2 }],
      services: [{ listen_port: 80 }],
      targets: [{ type: 'server', server: { id: 5 } }],
    },
  ],
};

/** The id by which the plan adopts what it would create; undefined when it creates it. */
function adopted(type: string, after: object): string | undefined {
  const labelled = resource('hcloud_network.labelled', ['no-op'], null, { labels: OURS });
  const [adoption] = findAdoptions(
    planOf([labelled, resource(`${type}.this`, ['create'], null, after)]),
    existing,
  );
  return adoption?.id;
}

describe('what exists already', () => {
  it.each<[string, object, string]>([
    ['hcloud_ssh_key', { name: 'ci' }, '1'],
    ['hcloud_network', { name: 'staging' }, '2'],
    ['hcloud_network_subnet', { network_id: 2, ip_range: '10.0.1.0/24' }, '2-10.0.1.0/24'],
    ['hcloud_placement_group', { name: 'staging-application' }, '4'],
    ['hcloud_server', { name: 'staging-app-1' }, '5'],
    ['hcloud_volume', { name: 'staging-db-1-data' }, '7'],
    ['hcloud_volume_attachment', { volume_id: 7, server_id: 5 }, '7'],
    ['hcloud_load_balancer', { name: 'staging-lb' }, '8'],
    ['hcloud_load_balancer_network', { load_balancer_id: 8, subnet_id: '2-10.0.1.0/24' }, '8-2'],
    ['hcloud_load_balancer_service', { load_balancer_id: '8', listen_port: 80 }, '8__80'],
    [
      'hcloud_load_balancer_target',
      { load_balancer_id: 8, type: 'server', server_id: 5 },
      '8__server__5',
    ],
  ])('is adopted: %s %j', (type, after, id) => {
    expect(adopted(type, after)).toBe(id);
  });

  it.each<[string, string, object]>([
    ['of another name', 'hcloud_server', { name: 'staging-app-3' }],
    ['of another environment', 'hcloud_server', { name: 'staging-app-2' }],
    ['that Terraform did not make', 'hcloud_firewall', { name: 'staging-base' }],
    ['in a network that is not known yet', 'hcloud_network_subnet', { ip_range: '10.0.1.0/24' }],
    ['at another server', 'hcloud_volume_attachment', { volume_id: 7, server_id: 6 }],
    ['of a kind without a rule', 'hcloud_primary_ip', { name: 'staging' }],
  ])('and is %s is left alone', (_what, type, after) => {
    expect(adopted(type, after)).toBeUndefined();
  });

  it('is left alone when the plan is of several environments', () => {
    const both = ['staging', 'production'].map((environment) =>
      resource(`hcloud_network.${environment}`, ['create'], null, {
        name: environment,
        labels: { ...OURS, environment },
      }),
    );
    expect(findAdoptions(planOf(both), existing)).toEqual([]);
  });
});
