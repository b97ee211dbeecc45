import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { type Instance, nameOf } from '../instance.ts';
import { docker, type Engine } from './engine.ts';

/**
 * Sees to it that the servers' image is in the engine, and names it.
 *
 * The tag carries the key of its content: a rebuilt root file system is a new image, and
 * an unchanged one is not imported twice.
 *
 * @throws Error when `tools/install` has not built the image yet.
 */
export async function ensureServerImage(
  instance: Instance,
  engine: Engine,
  log: (line: string) => void,
): Promise<string> {
  const archive = await serverArchive();
  const key = basename(archive, '.tar').replace(/^server-/, '');
  const image = `${nameOf(instance)}/server:${key}`;
  const { stdout } = await docker(engine, ['image', 'ls', '-q', image]);
  if (stdout.trim() === '') {
    log(`importing the servers' image ${basename(archive)}`);
    await docker(engine, ['import', archive, image]);
  }
  return image;
}

/** Removes this instance's tags, and with the last tag the image. */
export async function removeServerImages(instance: Instance, engine: Engine): Promise<void> {
  const format = '{{.Repository}}:{{.Tag}}';
  const repository = `${nameOf(instance)}/server`;
  const { stdout } = await docker(engine, ['image', 'ls', '--format', format, repository]);
  const images = stdout.split('\n').filter((line) => line !== '');
  if (images.length > 0) await docker(engine, ['image', 'rm', '--force', ...images]);
}

async function serverArchive(): Promise<string> {
  const { COMPTA_CACHE, XDG_CACHE_HOME } = process.env;
  const cache = COMPTA_CACHE ?? join(XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'compta');
  const index = join(cache, 'images', 'index.json');
  try {
    const { server } = JSON.parse(await readFile(index, 'utf8')) as { server?: string };
    if (server) return server;
  } catch (cause) {
    throw new Error(`${index} cannot be read: run tools/install first`, { cause });
  }
  throw new Error(`${index} names no "server" image: run tools/install first`);
}
