import { expect, test } from '@jest/globals';
import type { HetznerApi } from '../../hetzner/api.ts';
import { hostKeyIn, labelledHostKeys } from '../host-key-labels.ts';
import { parseTerraformOutputs } from '../inventory.ts';

const [FIRST, SECOND] = ['A-_'.repeat(14), 'B-_'.repeat(14)].map((start) => `${start}x`);
const key = (label = '') => hostKeyIn(`k${label}k`) ?? '';

const server = (role: string, last: number, public_ip: string | null = null) => ({
  role,
  private_ip: `10.0.1.${last}`,
  public_ip,
  host_key: key(FIRST),
  volume_device: null,
});
const inventory = parseTerraformOutputs({
  environment: 'staging',
  servers: { app: server('application', 21), bastion: server('bastion', 2, '203.0.113.2') },
  bastion: 'bastion',
  load_balancer: { public_ip: '203.0.113.9', private_ip: '10.0.1.5' },
  network_cidr: '10.0.0.0/16',
  ssh: { user: 'deploy', port: 2222 },
});

/** Hetzner with these labels on its servers. */
const hetzner = (labels: Record<string, Record<string, string>>) =>
  ({ byName: async (_, name) => ({ id: 1, labels: labels[name] ?? {} }) }) as HetznerApi;

test('a label is read as the key that Terraform and the play write into it', () => {
  expect(key(FIRST)).toBe(`ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${'A+/'.repeat(14)}x`);
  for (const none of ['', 'kk', FIRST ?? '', `k${FIRST}=k`, `k${FIRST}k\nother`]) {
    expect(hostKeyIn(none)).toBeUndefined();
  }
});

test('labels that tell what the outputs tell add nothing', async () => {
  const same = { 'host-key': `k${FIRST}k` };
  expect(await labelledHostKeys(inventory, hetzner({ app: same, bastion: same }))).toBe('');
});

test('both keys of a renewal are known, of the bastion by both its addresses', async () => {
  const renewing = { 'host-key': `k${FIRST}k`, 'host-key-next': `k${SECOND}k` };
  const renewed = { 'host-key': `k${SECOND}k` };
  const lines = await labelledHostKeys(inventory, hetzner({ app: renewing, bastion: renewed }));
  expect(lines.split('\n')).toEqual([
    `[10.0.1.21]:2222 ${key(SECOND)}`,
    `[203.0.113.2]:2222 ${key(SECOND)}`,
    `[10.0.1.2]:2222 ${key(SECOND)}`,
    '',
  ]);
});
