import { mkdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../lib/process/run.ts';
import type { Instance } from '../instance.ts';
import type { VolumeSpec } from '../machinery.ts';

/**
 * Volumes as sparse files behind loop devices. A volume has its device as long as it
 * lives, attached or not: two devices over one file could tear a file system.
 */
export interface Volumes {
  create(volume: VolumeSpec): Promise<void>;
  /** Grows file and device. */
  resize(id: number, sizeGb: number): Promise<void>;
  /** The loop device (e.g. /dev/loop3), made anew if a reboot took it. */
  device(id: number): Promise<string>;
  delete(id: number): Promise<void>;
  down(): Promise<void>;
}

const GIB = 1024 ** 3;

export function createVolumes(instance: Instance): Volumes {
  const directory = join(instance.stateDirectory, 'volumes');
  const fileOf = (id: number) => join(directory, `${id}.img`);

  async function device(id: number): Promise<string> {
    const [present] = await devicesOver(fileOf(id));
    if (present) return present;
    const { stdout } = await run(['losetup', '--find', '--show', fileOf(id)]);
    return stdout.trim();
  }

  async function create(volume: VolumeSpec): Promise<void> {
    const file = fileOf(volume.id);
    await mkdir(directory, { recursive: true });
    // Whole under its name or not at all: a kill in mkfs must not leave half a file system.
    if ((await sizeOf(file)) === null) {
      const unfinished = `${file}.new`;
      await rm(unfinished, { force: true });
      await writeFile(unfinished, '', { mode: 0o600 });
      await truncate(unfinished, volume.sizeGb * GIB);
      if (volume.format !== null) await makeFileSystem(volume.format, unfinished);
      await run(['mv', unfinished, file]);
    }
    await device(volume.id);
  }

  async function resize(id: number, sizeGb: number): Promise<void> {
    const file = fileOf(id);
    const size = await sizeOf(file);
    if (size === null) throw new Error(`volume ${id} cannot be resized: ${file} is missing`);
    if (size < sizeGb * GIB) await truncate(file, sizeGb * GIB);
    await run(['losetup', '--set-capacity', await device(id)]);
  }

  async function remove(id: number): Promise<void> {
    await detachLoop(fileOf(id));
    await rm(fileOf(id), { force: true });
  }

  async function down(): Promise<void> {
    const { stdout } = await run(['losetup', '--list', '--noheadings', '--output', 'BACK-FILE']);
    const files = stdout.split('\n').map((line) => line.trim().replace(/ \(deleted\)$/, ''));
    for (const file of files.filter((f) => f.startsWith(`${directory}/`))) await detachLoop(file);
    await rm(directory, { recursive: true, force: true });
  }

  return { create, resize, device, delete: remove, down };
}

async function detachLoop(file: string): Promise<void> {
  for (const loop of await devicesOver(file)) await run(['losetup', '--detach', loop]);
}

async function devicesOver(file: string): Promise<string[]> {
  const argv = ['losetup', '--associated', file, '--noheadings', '--output', 'NAME'];
  const { stdout } = await run(argv, { allowedExitCodes: [0, 1] });
  return stdout.split('\n').flatMap((line) => line.trim() || []);
}

async function makeFileSystem(format: 'ext4' | 'xfs', file: string): Promise<void> {
  await run(format === 'ext4' ? ['mkfs.ext4', '-q', '-F', file] : ['mkfs.xfs', '-q', '-f', file]);
}

async function sizeOf(file: string): Promise<number | null> {
  return stat(file).then(
    (status) => status.size,
    () => null,
  );
}
