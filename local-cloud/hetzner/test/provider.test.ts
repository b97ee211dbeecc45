import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { startCloud } from './client.ts';
import { environment, terraformIn } from './terraform.ts';

const MINUTES = 60_000;

let cloud: Awaited<ReturnType<typeof startCloud>>;
let terraform: ReturnType<typeof terraformIn>;
beforeEach(async () => {
  cloud = await startCloud();
  terraform = terraformIn(cloud.api.url);
  terraform.write(environment());
  expect(await terraform.init()).toMatchObject({ code: 0 });
}, 2 * MINUTES);
afterEach(async () => {
  await cloud.stop();
  terraform.remove();
});

describe('Terraform with the real provider', () => {
  test(
    'applies, finds nothing to change, changes in place and destroys',
    async () => {
      const applied = await terraform.apply();
      expect(applied.output).toContain('Apply complete! Resources: 14 added');
      const { servers, volumes, network, firewalls, balancers } = cloud.machinery.state;
      expect(Object.values(servers).map(({ name, privateIp }) => [name, privateIp])).toEqual(
        expect.arrayContaining([
          ['app-1', '10.0.1.21'],
          ['app-2', '10.0.1.22'],
        ]),
      );
      expect(Object.values(volumes)[0]?.server).not.toBeNull();
      expect(network).toBe('10.0.0.0/16');
      expect(firewalls).toHaveLength(2);
      expect(balancers[0]).toMatchObject({
        privateIp: '10.0.1.5',
        targets: expect.arrayContaining(['10.0.1.21', '10.0.1.22']),
      });
      expect((await terraform.plan()).output).toContain('No changes');

      const booted = cloud.machinery.calls.filter(([method]) => method === 'createServer').length;
      terraform.write(environment({ volumeSize: 20, healthInterval: 3, sshPort: 22 }));
      const changed = await terraform.apply();
      expect(changed.output).toContain('0 added, 3 changed, 0 destroyed');
      expect(Object.values(cloud.machinery.state.volumes)[0]?.sizeGb).toBe(20);
      expect(cloud.machinery.state.firewalls[0]?.inbound[0]?.port).toBe('22');
      const calls = cloud.machinery.calls.filter(([method]) => method === 'createServer');
      expect(calls).toHaveLength(booted);
      expect((await terraform.plan()).code).toBe(0);

      const destroyed = await terraform.destroy();
      expect(destroyed.output).toContain('14 destroyed');
      expect(cloud.machinery.state).toEqual({
        servers: {},
        volumes: {},
        network: null,
        firewalls: [],
        balancers: [],
      });
    },
    5 * MINUTES,
  );

  test(
    'cannot destroy what is protected before the protection is lifted',
    async () => {
      terraform.write(environment({ protectedServers: true }));
      expect(await terraform.apply()).toMatchObject({ code: 0 });
      const refused = await terraform.destroy();
      expect(refused.code).toBe(1);
      expect(refused.output).toContain('protected');
      expect(Object.keys(cloud.machinery.state.servers)).toHaveLength(2);

      terraform.write(environment());
      expect(await terraform.apply()).toMatchObject({ code: 0 });
      expect(await terraform.destroy()).toMatchObject({ code: 0 });
    },
    5 * MINUTES,
  );

  test(
    'rides out a 502 and a rate limit, and reports an action that fails',
    async () => {
      await cloud.post('/_faults', { next: { status: 502, count: 1 } });
      expect(await terraform.apply()).toMatchObject({ code: 0 });
      await cloud.post('/_faults', { next: { status: 429, count: 1 } });
      expect((await terraform.plan()).code).toBe(0);

      terraform.write(environment({ volumeSize: 30 }));
      await cloud.post('/_faults', {
        fail_action: { command: 'resize_volume', message: 'storage is full' },
      });
      const failed = await terraform.apply();
      expect(failed.code).toBe(1);
      expect(failed.output).toContain('storage is full');
      expect(await terraform.apply()).toMatchObject({ code: 0 });
      expect(Object.values(cloud.machinery.state.volumes)[0]?.sizeGb).toBe(30);
    },
    5 * MINUTES,
  );
});
