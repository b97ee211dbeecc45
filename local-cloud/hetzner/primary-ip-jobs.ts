import type { Job } from './actions.ts';
import { withName } from './reverse-dns.ts';
import type { Site } from './site.ts';
import { find } from './world.ts';

export const assignPrimaryIp: Job<{ id: number; server: number }> = {
  name: 'primary_ip.assign_primary_ip',
  locks: ['primary_ip', 'server'],
  async perform(site, { id, server }) {
    find(site.world, 'primary_ip', id).assignee = server;
    await replumb(site, server);
  },
};

export const unassignPrimaryIp: Job<{ id: number }> = {
  name: 'primary_ip.unassign_primary_ip',
  locks: ['primary_ip', 'server'],
  async perform(site, { id }) {
    const ip = find(site.world, 'primary_ip', id);
    const server = ip.assignee;
    ip.assignee = null;
    if (server !== null) await replumb(site, server);
  },
};

export const changeDnsPtr: Job<{ id: number; ip: string; dnsPtr: string | null }> = {
  name: 'primary_ip.change_dns_ptr',
  locks: ['primary_ip'],
  async perform({ world }, { id, ip, dnsPtr }) {
    const record = find(world, 'primary_ip', id);
    record.dnsPtr = withName(record.dnsPtr, ip, dnsPtr);
  },
};

export const primaryIpJobs = [assignPrimaryIp, unassignPrimaryIp, changeDnsPtr];

/** The server is off: its next start plumbs the new address; the policies follow at once. */
async function replumb({ world, policies }: Site, serverId: number): Promise<void> {
  const server = find(world, 'server', serverId);
  if (server.machine === 'current') server.machine = 'stale';
  await policies.enforce();
}
