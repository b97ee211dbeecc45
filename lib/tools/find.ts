import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { run } from '../process/run.ts';
import { type Architecture, CATALOGUE, type Download, type ToolName } from './catalogue.ts';
import { fetchArchive } from './fetch.ts';

export interface ToolRequest {
  name: ToolName;
  /** An exact version, as "1.11.4": a range would let the registry choose what runs. */
  version: string;
  /** Base URL of a mirror that serves the publishers' paths; the publisher's own host by default. */
  mirror?: string | undefined;
  /** SHA-256 of the archive for a version that the catalogue does not list. */
  sha256?: string | undefined;
  /** Aborting ends the fetch. */
  cancelled?: AbortSignal;
}

/** A tool that is neither in the tool cache nor to be had safely. */
export class ToolUnavailable extends Error {
  override readonly name = 'ToolUnavailable';
}

/**
 * The directory of a tool: from the runner's tool cache, else downloaded, held to its
 * SHA-256, unpacked and put there for the next job.
 *
 * @throws ToolUnavailable for a version that is no exact one, that has no known sum, whose
 * download fails, or whose bytes differ from the sum.
 */
export async function findTool(request: ToolRequest): Promise<string> {
  const { name, version } = request;
  if (!/^\d+\.\d+\.\d+$/.test(version)) {
    throw new ToolUnavailable(`${name} '${version}' is no exact version: give one such as 1.11.4.`);
  }
  const cache = process.env.RUNNER_TOOL_CACHE;
  if (!cache) {
    throw new ToolUnavailable(
      `RUNNER_TOOL_CACHE is not set, so ${name} ${version} has no place to live: ` +
        'set it to a folder, outside a runner too.',
    );
  }
  return cached(cache, request) ?? install(cache, request, architecture());
}

/** As tool-cache's own `find`, which would write to a command line's standard output. */
function cached(cache: string, { name, version }: ToolRequest): string | undefined {
  const folder = join(cache, name, version, process.arch);
  return existsSync(folder) && existsSync(`${folder}.complete`) ? folder : undefined;
}

async function install(cache: string, request: ToolRequest, arch: Architecture): Promise<string> {
  const { name, version, mirror } = request;
  const tool = CATALOGUE[name];
  const sum = request.sha256 ?? tool?.sha256[version]?.[arch];
  if (tool === undefined || sum === undefined) {
    throw new ToolUnavailable(explainUnknown(name, version, arch, tool));
  }
  const url = mirrored(tool.url(version, arch), mirror);
  const shelf = join(cache, name, version);
  await mkdir(shelf, { recursive: true });
  const archive = await fetched(url, `${name} ${version}`, request.cancelled);
  const unpacked = await mkdtemp(join(shelf, 'unpacked-'));
  try {
    const actual = await sha256Of(archive);
    if (actual !== sum) {
      throw new ToolUnavailable(
        `${url} has SHA-256 ${actual}, but ${name} ${version} has ${sum}. It was not unpacked.`,
      );
    }
    await unpack(archive, name, tool, unpacked);
    return (
      cached(cache, request) ??
      (await settle(join(unpacked, tool.folder(version, arch)), join(shelf, arch)))
    );
  } finally {
    await rm(archive, { force: true });
    await rm(unpacked, { recursive: true, force: true });
  }
}

/** As tool-cache's own `cacheDir`, but whole or not at all, and without a word on standard output. */
async function settle(unpacked: string, place: string): Promise<string> {
  await rm(place, { recursive: true, force: true });
  await chmod(unpacked, 0o755);
  await rename(unpacked, place);
  await writeFile(`${place}.complete`, '');
  return place;
}

async function unpack(
  archive: string,
  name: ToolName,
  { archive: kind, members }: Download,
  folder: string,
): Promise<void> {
  if (kind === 'none') {
    await copyFile(archive, join(folder, name));
    await chmod(join(folder, name), 0o755);
    return;
  }
  if (kind === 'zip') {
    // Seldom wanted: most tools are in the cache already.
    const { extractZip } = await import('@actions/tool-cache');
    await extractZip(archive, folder);
    return;
  }
  const patterns = members ? ['--wildcards', '--no-wildcards-match-slash', ...members] : [];
  await run(['tar', '-xzf', archive, '-C', folder, ...patterns]);
}

async function fetched(url: string, what: string, cancelled?: AbortSignal): Promise<string> {
  try {
    return await fetchArchive(url, cancelled);
  } catch (cause) {
    cancelled?.throwIfAborted();
    throw new ToolUnavailable(
      `${what} could not be downloaded from ${url}: make it reachable, name a mirror, or put it into the tool cache.`,
      { cause },
    );
  }
}

/** The same path below another base: `https://mirror.example/tools` + `/terraform/1.11.4/…`. */
export function mirrored(url: string, mirror: string | undefined): string {
  if (!mirror || !url.startsWith('http')) return url;
  return mirror.replace(/\/+$/, '') + new URL(url).pathname;
}

function explainUnknown(
  name: string,
  version: string,
  arch: Architecture,
  tool: Download | undefined,
): string {
  const known = Object.keys(tool?.sha256 ?? {}).join(', ');
  const choice = known === '' ? '' : ` Versions with a known sum: ${known}.`;
  return (
    `${name} ${version} (${arch}) is not in the runner's tool cache, and no SHA-256 is known ` +
    `that a download could be held to.${choice} Otherwise put it into the tool cache first.`
  );
}

function architecture(): Architecture {
  if (process.arch === 'x64' || process.arch === 'arm64') return process.arch;
  throw new ToolUnavailable(
    `No tool is published for this runner's architecture, ${process.arch}.`,
  );
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
