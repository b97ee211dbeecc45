/** What only machinery could do that the local cloud does not have: the API over a mere record. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { run } from '../../../lib/process/run.ts';
import { EVERYTHING } from '../abilities.ts';
import { createNetwork, createServer, startCloud } from './client.ts';

let cloud: Awaited<ReturnType<typeof startCloud>>;
beforeEach(async () => {
  cloud = await startCloud({ abilities: EVERYTHING });
});
afterEach(() => cloud.stop());

test('a snapshot is kept when its server goes, a backup goes with it', async () => {
  const server = await createServer(cloud, 'a');
  const keep = (body: object) => cloud.post(`/servers/${server.id}/actions/create_image`, body);
  const { image } = await cloud.done(keep({ description: 'before', labels: { of: 'a' } }));
  expect(image).toMatchObject({
    type: 'snapshot',
    name: null,
    bound_to: null,
    os_flavor: 'debian',
  });
  expect((await keep({ type: 'backup' })).body.error.code).toBe('invalid_input');
  await cloud.done(cloud.post(`/servers/${server.id}/actions/enable_backup`));
  await cloud.done(keep({ type: 'backup' }));
  const listed = (query: string) =>
    cloud.get(`/images?${query}`).then(({ body }) => body.images.length);
  expect(await listed(`bound_to=${server.id}`)).toBe(1);
  expect(await listed('type=snapshot&label_selector=of=a&sort=created:desc')).toBe(1);
  await cloud.done(cloud.remove(`/servers/${server.id}`));
  expect(await listed('type=backup')).toBe(0);

  const changed = await cloud.put(`/images/${image.id}`, { description: 'after' });
  expect(changed.body.image.description).toBe('after');
  await cloud.done(cloud.post(`/images/${image.id}/actions/change_protection`, { delete: true }));
  expect((await cloud.remove(`/images/${image.id}`)).body.error.code).toBe('protected');
  const again = await createServer(cloud, 'b', { image: image.id });
  expect(again.image.id).toBe(image.id);
});

test('a server boots a rescue system or an ISO image', async () => {
  const { id } = await createServer(cloud, 'a');
  const act = (command: string, body: object = {}) =>
    cloud.post(`/servers/${id}/actions/${command}`, body);
  const shown = async () => {
    const { server } = (await cloud.get(`/servers/${id}`)).body;
    return [server.rescue_enabled, server.iso?.id ?? null];
  };
  expect((await cloud.done(act('enable_rescue', { type: 'linux64' }))).root_password).toMatch(/./);
  await cloud.done(act('attach_iso', { iso: 8637 }));
  expect(await shown()).toEqual([true, 8637]);
  await cloud.done(act('disable_rescue'));
  await cloud.done(act('detach_iso'));
  expect(await shown()).toEqual([false, null]);
});

test('a server is in several networks that do not overlap, in each once', async () => {
  const first = await createNetwork(cloud, 'first');
  const { network: second } = await cloud.done(
    cloud.post('/networks', {
      name: 'second',
      ip_range: '10.1.0.0/16',
      subnets: [{ type: 'cloud', ip_range: '10.1.1.0/24', network_zone: 'eu-central' }],
    }),
  );
  const third = await createNetwork(cloud, 'third');
  const server = await createServer(cloud, 'a', { networks: [first.id] });
  const attach = (network: number) =>
    cloud.post(`/servers/${server.id}/actions/attach_to_network`, { network });
  await cloud.done(attach(second.id));
  expect((await attach(second.id)).body.error.code).toBe('server_already_attached');
  expect((await attach(third.id)).body.error.code).toBe('networks_overlap');
  // One exists in hardware, the other is booked.
  expect(cloud.machinery.state.servers[server.id]?.privateIp).toBe('10.0.1.1');
});

test('a load balancer ends TLS with an uploaded certificate, which it then holds', async () => {
  const { pem, key } = await selfSigned('example.org');
  const upload = (private_key: string) =>
    cloud.post('/certificates', { name: 'site', certificate: pem, private_key });
  const { privateKey } = generateKeyPairSync('ed25519');
  const foreign = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  expect((await upload(foreign)).body.error.details.fields[0].name).toBe('private_key');
  const { certificate } = await cloud.done(upload(key));
  expect(certificate).toMatchObject({ type: 'uploaded', domain_names: ['example.org'] });
  expect(JSON.stringify(certificate)).not.toContain('PRIVATE KEY');

  const { load_balancer: balancer } = await cloud.done(
    cloud.post('/load_balancers', { name: 'lb', load_balancer_type: 'lb11', location: 'fsn1' }),
  );
  const act = (command: string, body: object) =>
    cloud.post(`/load_balancers/${balancer.id}/actions/${command}`, body);
  const http = { certificates: [certificate.id], redirect_http: true, sticky_sessions: true };
  expect((await act('add_service', { protocol: 'https' })).body.error.code).toBe('invalid_input');
  await cloud.done(act('add_service', { protocol: 'https', http }));
  await cloud.done(act('update_service', { listen_port: 443, http: { cookie_lifetime: 60 } }));
  const shown = (await cloud.get(`/load_balancers/${balancer.id}`)).body.load_balancer;
  expect(shown.services[0]).toMatchObject({
    listen_port: 443,
    destination_port: 80,
    http: { ...http, cookie_name: 'HCLBSTICKY', cookie_lifetime: 60 },
  });
  expect((await cloud.remove(`/certificates/${certificate.id}`)).body.error.code).toBe(
    'resource_in_use',
  );
  await cloud.done(act('delete_service', { listen_port: 443 }));
  expect((await cloud.remove(`/certificates/${certificate.id}`)).status).toBe(204);
});

test('a load balancer’s addresses bear names', async () => {
  const { load_balancer: balancer } = await cloud.done(
    cloud.post('/load_balancers', { name: 'lb', load_balancer_type: 'lb11', location: 'fsn1' }),
  );
  const { ipv4, ipv6 } = balancer.public_net;
  const name = (ip: string, dns_ptr: string | null) =>
    cloud.post(`/load_balancers/${balancer.id}/actions/change_dns_ptr`, { ip, dns_ptr });
  await cloud.done(name(ipv6.ip, 'lb.example.org'));
  expect((await name('203.0.113.1', 'other')).body.error.code).toBe('invalid_input');
  const shown = (await cloud.get(`/load_balancers/${balancer.id}`)).body.load_balancer.public_net;
  expect([shown.ipv4, shown.ipv6.dns_ptr]).toEqual([ipv4, 'lb.example.org']);
});

test('a floating IP moves from server to server and outlives both', async () => {
  const [a, b] = [await createServer(cloud, 'a'), await createServer(cloud, 'b')];
  const { floating_ip } = await cloud.done(
    cloud.post('/floating_ips', { type: 'ipv4', server: a.id, description: 'front' }),
  );
  const act = (command: string, body: object = {}) =>
    cloud.post(`/floating_ips/${floating_ip.id}/actions/${command}`, body);
  const held = async ({ id }: { id: number }) =>
    (await cloud.get(`/servers/${id}`)).body.server.public_net.floating_ips;
  expect(await held(a)).toEqual([floating_ip.id]);
  await cloud.done(act('assign', { server: b.id }));
  expect([await held(a), await held(b)]).toEqual([[], [floating_ip.id]]);
  await cloud.done(act('change_dns_ptr', { ip: floating_ip.ip, dns_ptr: 'front.example.org' }));
  await cloud.done(cloud.remove(`/servers/${b.id}`));
  const shown = (await cloud.get(`/floating_ips/${floating_ip.id}`)).body.floating_ip;
  expect([shown.server, shown.dns_ptr]).toEqual([
    null,
    [{ ip: floating_ip.ip, dns_ptr: 'front.example.org' }],
  ]);
  expect((await act('unassign')).body.error.code).toBe('service_error');
  expect((await cloud.remove(`/floating_ips/${floating_ip.id}`)).status).toBe(204);
});

async function selfSigned(domain: string): Promise<{ pem: string; key: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'certificate-'));
  const [pem, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  try {
    const subject = ['-subj', `/CN=${domain}`, '-addext', `subjectAltName=DNS:${domain}`];
    const algorithm = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    await run(['openssl', 'req', '-x509', ...algorithm, '-keyout', key, '-out', pem, ...subject]);
    return { pem: readFileSync(pem, 'utf8'), key: readFileSync(key, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
