import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { codeOf, createServer, startCloud } from './client.ts';

const ALLOW_SSH = {
  direction: 'in',
  protocol: 'tcp',
  port: '2222',
  source_ips: ['198.51.100.0/24'],
};

let cloud: Awaited<ReturnType<typeof startCloud>>;
beforeEach(async () => {
  cloud = await startCloud();
});
afterEach(() => cloud.stop());

describe('firewalls', () => {
  test('hand over the whole policy, by server and by label', async () => {
    const bastion = await createServer(cloud, 'bastion', { labels: { role: 'bastion' } });
    const app = await createServer(cloud, 'app', { labels: { role: 'app' } });
    const { firewall } = await cloud.done(
      cloud.post('/firewalls', {
        name: 'ssh',
        rules: [ALLOW_SSH],
        apply_to: [{ type: 'label_selector', label_selector: { selector: 'role=bastion' } }],
      }),
    );
    const inbound = [{ protocol: 'tcp', port: '2222', sourceIps: ['198.51.100.0/24'] }];
    const policy = (server: typeof app, rules: unknown[]) => ({
      serverId: server.id,
      publicIp: server.public_net.ipv4.ip,
      inbound: rules,
    });
    expect(cloud.machinery.state.firewalls).toEqual([policy(bastion, inbound)]);

    await cloud.put(`/servers/${app.id}`, { labels: { role: 'bastion' } });
    expect(cloud.machinery.state.firewalls).toEqual([
      policy(bastion, inbound),
      policy(app, inbound),
    ]);

    const actions = `/firewalls/${firewall.id}/actions`;
    await cloud.done(cloud.post(`${actions}/set_rules`, { rules: [] }));
    expect(cloud.machinery.state.firewalls).toEqual([policy(bastion, []), policy(app, [])]);
    expect(await codeOf(cloud.remove(`/firewalls/${firewall.id}`))).toBe('422 resource_in_use');
    const one = { remove_from: [{ type: 'server', server: { id: app.id } }] };
    expect(await codeOf(cloud.post(`${actions}/remove_from_resources`, one))).toBe(
      '422 firewall_managed_by_label_selector',
    );

    await cloud.done(
      cloud.post(`${actions}/remove_from_resources`, {
        remove_from: [{ type: 'label_selector', label_selector: { selector: 'role=bastion' } }],
      }),
    );
    expect(cloud.machinery.state.firewalls).toEqual([]);
    expect((await cloud.remove(`/firewalls/${firewall.id}`)).status).toBe(204);
  });

  test('stand before the server they protect boots', async () => {
    const { firewall } = await cloud.done(cloud.post('/firewalls', { name: 'closed' }));
    await createServer(cloud, 'a', { firewalls: [{ firewall: firewall.id }] });
    const order = cloud.machinery.calls.map(([method]) => method);
    expect(order.indexOf('setFirewalls')).toBeLessThan(order.indexOf('createServer'));
  });

  test('refuse rules that would not hold', async () => {
    const create = (rule: object) => codeOf(cloud.post('/firewalls', { name: 'f', rules: [rule] }));
    expect(await create({ ...ALLOW_SSH, source_ips: ['anywhere'] })).toBe('422 invalid_input');
    expect(await create({ ...ALLOW_SSH, port: undefined })).toBe('422 invalid_input');
    expect(await create({ ...ALLOW_SSH, protocol: 'icmp' })).toBe('422 invalid_input');
    expect(await create({ ...ALLOW_SSH, source_ips: ['10.0.0.1/8'] })).toBe('422 invalid_input');
    expect(await create({ ...ALLOW_SSH, direction: 'out' })).toBe('422 invalid_input');
  });
});

test('keep outbound rules, with IPv6 in its canonical form', async () => {
  const { firewall } = await cloud.done(
    cloud.post('/firewalls', {
      name: 'out',
      rules: [
        {
          direction: 'out',
          protocol: 'tcp',
          port: '443',
          destination_ips: ['203.0.113.0/24', '2001:0DB8:0:0::/32', '::/0'],
        },
      ],
    }),
  );
  expect(firewall.rules).toEqual([
    {
      direction: 'out',
      protocol: 'tcp',
      port: '443',
      description: null,
      source_ips: [],
      destination_ips: ['203.0.113.0/24', '2001:db8::/32', '::/0'],
    },
  ]);
});
