import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { codeOf, createNetwork, createServer, startCloud } from './client.ts';

let cloud: Awaited<ReturnType<typeof startCloud>>;
beforeEach(async () => {
  cloud = await startCloud();
});
afterEach(() => cloud.stop());

describe('servers', () => {
  test('boot with user data, a public address and a private one, and go without a trace', async () => {
    const network = await createNetwork(cloud);
    const server = await createServer(cloud, 'app-1', { user_data: '#cloud-config' });
    expect(server.public_net.ipv4.ip).toBe('203.0.113.2');
    expect(server).not.toHaveProperty('datacenter');
    const attach = { network: network.id, ip: '10.0.1.21' };
    await cloud.done(cloud.post(`/servers/${server.id}/actions/attach_to_network`, attach));
    expect(cloud.machinery.state.servers[server.id]).toEqual({
      id: server.id,
      name: 'app-1',
      publicIp: '203.0.113.2',
      userData: '#cloud-config',
      sshKeys: [],
      running: true,
      privateIp: '10.0.1.21',
    });
    const { body } = await cloud.get(`/servers/${server.id}`);
    expect(body.server).toMatchObject({
      status: 'running',
      locked: false,
      location: { name: 'fsn1', network_zone: 'eu-central' },
      private_net: [{ network: network.id, ip: '10.0.1.21', alias_ips: [] }],
    });
    await cloud.done(cloud.remove(`/servers/${server.id}`));
    expect(await codeOf(cloud.get(`/servers/${server.id}`))).toBe('404 not_found');
    expect((await cloud.get('/primary_ips')).body.primary_ips).toEqual([]);
    expect(cloud.machinery.state.servers).toEqual({});
  });

  test('are locked while an action runs, and only then', async () => {
    await cloud.post('/_faults', { action_delay: 1_500 });
    const { body } = await cloud.post('/servers', {
      name: 'a',
      server_type: 'cpx22',
      image: 'debian-12',
    });
    const path = `/servers/${body.server.id}`;
    expect(body.action).toMatchObject({ command: 'create_server', status: 'running' });
    expect((await cloud.get(path)).body.server.locked).toBe(true);
    expect(await codeOf(cloud.post(`${path}/actions/shutdown`))).toBe('423 locked');
    expect(await codeOf(cloud.remove(path))).toBe('423 locked');
    await cloud.post('/_faults', {});
    await cloud.done(Promise.resolve({ status: 201, headers: new Headers(), body }));
    await cloud.done(cloud.post(`${path}/actions/shutdown`));
    expect((await cloud.get(path)).body.server.status).toBe('off');
  });

  test('share no name, no private address and no full placement group', async () => {
    const network = await createNetwork(cloud);
    const { body } = await cloud.post('/placement_groups', { name: 'spread', type: 'spread' });
    const group = { placement_group: body.placement_group.id };
    const servers: { id: number }[] = [];
    for (let i = 0; i < 10; i += 1) servers.push(await createServer(cloud, `s${i}`, group));
    const wanted = { name: 's0', server_type: 'cpx22', image: 'debian-12' };
    expect(await codeOf(cloud.post('/servers', wanted))).toBe('409 uniqueness_error');
    const eleventh = { ...wanted, name: 's10', ...group };
    expect(await codeOf(cloud.post('/servers', eleventh))).toBe('422 placement_error');

    const attach = (index: number, ip: string) =>
      cloud.post(`/servers/${servers[index]?.id}/actions/attach_to_network`, {
        network: network.id,
        ip,
      });
    const replies = await Promise.all([attach(0, '10.0.1.5'), attach(1, '10.0.1.5')]);
    expect(replies.map(({ status }) => status).sort()).toEqual([201, 422]);
    expect(await codeOf(attach(2, '10.0.2.5'))).toBe('422 invalid_input');
    expect(await codeOf(attach(3, '10.0.0.1'))).toBe('422 invalid_input');
  });

  test('keep the protection that was set', async () => {
    const { id } = await createServer(cloud, 'a');
    const protect = (on: boolean) =>
      cloud.done(
        cloud.post(`/servers/${id}/actions/change_protection`, { delete: on, rebuild: on }),
      );
    await protect(true);
    expect(await codeOf(cloud.remove(`/servers/${id}`))).toBe('423 protected');
    await protect(false);
    await cloud.done(cloud.remove(`/servers/${id}`));
  });

  test('change their type only when off, and to a disk that is as large', async () => {
    const { id } = await createServer(cloud, 'a');
    const change = (server_type: string) =>
      cloud.post(`/servers/${id}/actions/change_type`, { server_type, upgrade_disk: true });
    expect(await codeOf(change('cpx32'))).toBe('422 server_not_stopped');
    await cloud.done(cloud.post(`/servers/${id}/actions/poweroff`));
    await cloud.done(change('cpx32'));
    const { server } = (await cloud.get(`/servers/${id}`)).body;
    expect([server.server_type.name, server.status]).toEqual(['cpx32', 'running']);
    await cloud.done(cloud.post(`/servers/${id}/actions/poweroff`));
    expect(await codeOf(change('cpx12'))).toBe('422 invalid_server_type');
  });

  test('say what the local cloud cannot do', async () => {
    const { id } = await createServer(cloud, 'a');
    const snapshot = await cloud.post(`/servers/${id}/actions/create_image`);
    expect([snapshot.status, snapshot.body.error.code]).toEqual([501, 'unsupported_error']);
    expect((await cloud.get('/images')).body.images).toHaveLength(1);
    for (const command of ['enable_rescue', 'attach_iso', 'request_console']) {
      expect(await codeOf(cloud.post(`/servers/${id}/actions/${command}`, { iso: 8637 }))).toBe(
        '501 unsupported_error',
      );
    }
  });

  test('take a primary IP of their own and give it back', async () => {
    const { primary_ip } = await cloud.done(
      cloud.post('/primary_ips', { name: 'mine', type: 'ipv4', location: 'fsn1' }),
    );
    const server = await createServer(cloud, 'a', {
      public_net: { enable_ipv4: true, enable_ipv6: false, ipv4: primary_ip.id },
    });
    expect(server.public_net.ipv4.ip).toBe(primary_ip.ip);
    const path = `/primary_ips/${primary_ip.id}`;
    expect(await codeOf(cloud.remove(path))).toBe('422 must_be_unassigned');
    await cloud.done(cloud.remove(`/servers/${server.id}`));
    expect((await cloud.remove(path)).status).toBe(204);
  });

  test('are no more than there are public addresses', async () => {
    const create = (name: string) =>
      cloud.post('/primary_ips', { name, type: 'ipv4', location: 1 });
    for (let i = 0; i < 13; i += 1) expect((await create(`ip${i}`)).status).toBe(201);
    expect(await codeOf(create('one-more'))).toBe('403 resource_limit_exceeded');
  });
});

describe('volumes', () => {
  test('are created, attached, grown, and deleted when nothing holds them', async () => {
    const server = await createServer(cloud, 'db');
    const { volume } = await cloud.done(
      cloud.post('/volumes', { name: 'data', size: 10, format: 'ext4', location: 'fsn1' }),
    );
    expect(volume.linux_device).toBe(`/dev/disk/by-id/scsi-0HC_Volume_${volume.id}`);
    const act = (command: string, body: object = {}) =>
      cloud.post(`/volumes/${volume.id}/actions/${command}`, body);
    await cloud.done(act('attach', { server: server.id }));
    expect(cloud.machinery.state.volumes[volume.id]).toMatchObject({
      sizeGb: 10,
      format: 'ext4',
      server: server.id,
    });
    expect(await codeOf(act('attach', { server: server.id }))).toBe('422 volume_already_attached');
    await cloud.done(act('resize', { size: 20 }));
    expect(await codeOf(act('resize', { size: 15 }))).toBe('422 invalid_input');
    expect(await codeOf(cloud.remove(`/volumes/${volume.id}`))).toBe('422 resource_in_use');
    await cloud.done(act('detach'));
    expect((await cloud.remove(`/volumes/${volume.id}`)).status).toBe(204);
    expect(cloud.machinery.state.volumes).toEqual({});
  });

  test('go only to a server in their location, also with its creation', async () => {
    const { volume } = await cloud.done(
      cloud.post('/volumes', { name: 'data', size: 10, location: 'hel1' }),
    );
    const server = await createServer(cloud, 'a');
    const attach = cloud.post(`/volumes/${volume.id}/actions/attach`, { server: server.id });
    expect(await codeOf(attach)).toBe('422 invalid_input');
    const helsinki = await createServer(cloud, 'b', { location: 'hel1', volumes: [volume.id] });
    expect(cloud.machinery.state.volumes[volume.id]?.server).toBe(helsinki.id);
  });
});

describe('networks', () => {
  test('keep their subnets apart and inside', async () => {
    const { id } = await createNetwork(cloud);
    const add = (ip_range?: string) =>
      cloud.post(`/networks/${id}/actions/add_subnet`, {
        type: 'cloud',
        network_zone: 'eu-central',
        ...(ip_range && { ip_range }),
      });
    expect(await codeOf(add('10.0.1.128/25'))).toBe('422 invalid_input');
    expect(await codeOf(add('10.1.0.0/24'))).toBe('422 invalid_input');
    await cloud.done(add());
    const { network } = (await cloud.get(`/networks/${id}`)).body;
    expect(network.subnets.map((s: { ip_range: string }) => s.ip_range)).toEqual([
      '10.0.1.0/24',
      '10.0.0.0/24',
    ]);
    expect(network.subnets[0].gateway).toBe('10.0.0.1');
    expect(network.servers).toEqual([]);
  });

  test('are one at a time in hardware, and leave with their members detached', async () => {
    const first = await createNetwork(cloud, 'first');
    const second = await createNetwork(cloud, 'second');
    const server = await createServer(cloud, 'a', { networks: [first.id] });
    expect(cloud.machinery.state.network).toBe('10.0.0.0/16');
    const other = await createServer(cloud, 'b');
    const attach = () =>
      cloud.post(`/servers/${other.id}/actions/attach_to_network`, { network: second.id });
    expect(await codeOf(attach())).toBe('403 resource_limit_exceeded');
    const subnet = { ip_range: '10.0.1.0/24' };
    const path = `/networks/${first.id}`;
    expect(await codeOf(cloud.post(`${path}/actions/delete_subnet`, subnet))).toBe(
      '422 service_error',
    );
    expect((await cloud.remove(path)).status).toBe(204);
    expect(cloud.machinery.state.network).toBeNull();
    expect(cloud.machinery.state.servers[server.id]?.privateIp).toBeNull();
    await cloud.done(attach());
  });
});

describe('load balancers', () => {
  const service = { protocol: 'http', listen_port: 80, destination_port: 8080 };

  async function balanced() {
    const network = await createNetwork(cloud);
    const servers = [];
    for (const name of ['app-1', 'app-2']) {
      servers.push(
        await createServer(cloud, name, { networks: [network.id], labels: { role: 'app' } }),
      );
    }
    const { load_balancer } = await cloud.done(
      cloud.post('/load_balancers', {
        name: 'lb',
        load_balancer_type: 'lb11',
        location: 'fsn1',
        services: [service],
      }),
    );
    const act = (command: string, body: object = {}) =>
      cloud.post(`/load_balancers/${load_balancer.id}/actions/${command}`, body);
    return { network, servers, balancer: load_balancer, act };
  }

  test('balance on a loopback address with Hetzner’s default checks', async () => {
    const { network, servers, balancer, act } = await balanced();
    const target = { type: 'server', server: { id: servers[0].id }, use_private_ip: true };
    expect(await codeOf(act('add_target', target))).toBe(
      '422 load_balancer_not_attached_to_network',
    );
    await cloud.done(act('attach_to_network', { network: network.id, ip: '10.0.1.5' }));
    await cloud.done(act('add_target', target));
    expect(await codeOf(act('add_target', target))).toBe('422 target_already_defined');
    expect(await codeOf(act('add_service', service))).toBe('422 source_port_already_used');
    expect(cloud.machinery.state.balancers).toEqual([
      {
        id: balancer.id,
        name: 'lb',
        publicIp: '127.77.0.10',
        privateIp: '10.0.1.5',
        algorithm: 'round_robin',
        services: [
          {
            protocol: 'http',
            listenPort: 80,
            destinationPort: 8080,
            proxyProtocol: false,
            healthCheck: {
              protocol: 'http',
              port: 8080,
              intervalSeconds: 15,
              timeoutSeconds: 10,
              retries: 3,
              path: '/',
              domain: null,
              statusCodes: ['2??', '3??'],
            },
          },
        ],
        targets: ['10.0.1.1'],
      },
    ]);
    const { load_balancer } = (await cloud.get(`/load_balancers/${balancer.id}`)).body;
    expect(load_balancer.targets[0].health_status).toEqual([
      { listen_port: 80, status: 'healthy' },
    ]);
  });

  test('follow a label selector, and forget servers that are gone', async () => {
    const { network, servers, balancer, act } = await balanced();
    await cloud.done(act('attach_to_network', { network: network.id }));
    await cloud.done(
      act('add_target', {
        type: 'label_selector',
        label_selector: { selector: 'role=app' },
        use_private_ip: true,
      }),
    );
    expect(cloud.machinery.state.balancers[0]?.targets).toHaveLength(2);
    await cloud.done(cloud.remove(`/servers/${servers[0].id}`));
    expect(cloud.machinery.state.balancers[0]?.targets).toHaveLength(1);
    await cloud.done(cloud.remove(`/load_balancers/${balancer.id}`));
    expect(cloud.machinery.state.balancers).toEqual([]);
  });

  test('change one field of a service and leave the others', async () => {
    const { act } = await balanced();
    await cloud.done(
      act('update_service', { listen_port: 80, health_check: { interval: 3, timeout: 2 } }),
    );
    expect(cloud.machinery.state.balancers[0]?.services[0]).toMatchObject({
      destinationPort: 8080,
      healthCheck: { intervalSeconds: 3, timeoutSeconds: 2, retries: 3, path: '/' },
    });
  });

  test('take no second change while one runs, and refuse what they cannot do', async () => {
    const { act } = await balanced();
    expect(
      await codeOf(
        act('add_service', { protocol: 'http', listen_port: 81, http: { sticky_sessions: true } }),
      ),
    ).toBe('501 unsupported_error');
    expect(await codeOf(act('add_target', { type: 'ip', ip: { ip: '198.51.100.9' } }))).toBe(
      '422 ip_not_owned',
    );
    await cloud.post('/_faults', { action_delay: 60_000 }); // which the cloud's end cuts short
    await act('change_algorithm', { type: 'least_connections' });
    expect(await codeOf(act('delete_service', { listen_port: 80 }))).toBe('409 conflict');
  });
});
