import type { Job } from './actions.ts';
import { find } from './world.ts';

export const createVolume: Job<{ id: number }> = {
  name: 'volume.create_volume',
  locks: ['volume'],
  async perform({ world, machinery }, { id }) {
    const volume = find(world, 'volume', id);
    await machinery.createVolume({ id, sizeGb: volume.sizeGb, format: volume.format });
    volume.status = 'available';
  },
};

export const attachVolume: Job<{ id: number; server: number }> = {
  name: 'volume.attach_volume',
  locks: ['volume', 'server'],
  async perform({ world, machinery }, { id, server }) {
    const volume = find(world, 'volume', id);
    // A server that was never booted gets its volumes when it is.
    if (find(world, 'server', server).machine !== 'none') await machinery.attachVolume(id, server);
    volume.server = server;
  },
};

export const detachVolume: Job<{ id: number }> = {
  name: 'volume.detach_volume',
  locks: ['volume', 'server'],
  async perform({ world, machinery }, { id }) {
    await machinery.detachVolume(id);
    find(world, 'volume', id).server = null;
  },
};

export const resizeVolume: Job<{ id: number; sizeGb: number }> = {
  name: 'volume.resize_volume',
  locks: ['volume'],
  async perform({ world, machinery }, { id, sizeGb }) {
    await machinery.resizeVolume(id, sizeGb);
    find(world, 'volume', id).sizeGb = sizeGb;
  },
};

export const volumeJobs = [createVolume, attachVolume, detachVolume, resizeVolume];
