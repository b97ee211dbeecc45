import type { Job } from './actions.ts';
import { withName } from './reverse-dns.ts';
import { find } from './world.ts';

export const assignFloatingIp: Job<{ id: number; server: number }> = {
  name: 'floating_ip.assign_floating_ip',
  locks: ['floating_ip'],
  async perform({ world }, { id, server }) {
    find(world, 'floating_ip', id).server = server;
  },
};

export const unassignFloatingIp: Job<{ id: number }> = {
  name: 'floating_ip.unassign_floating_ip',
  locks: ['floating_ip'],
  async perform({ world }, { id }) {
    find(world, 'floating_ip', id).server = null;
  },
};

export const nameFloatingIp: Job<{ id: number; ip: string; dnsPtr: string | null }> = {
  name: 'floating_ip.change_dns_ptr',
  locks: ['floating_ip'],
  async perform({ world }, { id, ip, dnsPtr }) {
    const record = find(world, 'floating_ip', id);
    record.dnsPtr = withName(record.dnsPtr, ip, dnsPtr);
  },
};

export const floatingIpJobs = [assignFloatingIp, unassignFloatingIp, nameFloatingIp];
