import assert from 'node:assert/strict';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Builder, startBuilder } from '../../action-build/test/builder.ts';
import { type Daemon, startDaemon } from '../../action-build/test/daemon.ts';
import { type Registry, startRegistry } from '../../action-build/test/registry.ts';
import { run } from '../../lib/process/run.ts';
import { dockerConfig } from '../../lib/registry/login.ts';
import { type Ended, runAction } from '../../lib/runner/test/start-action.ts';
import { cacheDirectory, checkout } from '../../local-cloud/claim.ts';
import { undone } from '../interruption.ts';

export const SERVICES = ['api-gateway', 'auth-service', 'accounting-service', 'reporting-service'];
export const CHANGED = 'accounting-service';
export const DOCKERFILE = join(checkout, 'infra/docker/applications/Dockerfile');

export const database = () => join(cacheDirectory(), 'trivy-db');

/** A registry, the four services' build contexts, and a base image by digest. */
export interface Bench {
  folder: string;
  registry: Registry;
  baseImage: string;
  /** Build context of a service: its jar and nothing else. */
  context(service: string): string;
  close(): Promise<void>;
}

export async function startBench(): Promise<Bench> {
  const folder = mkdtempSync(join(tmpdir(), 'compta-bench-build-'));
  const registry = await startRegistry(folder);
  const close = undone(async () => {
    await registry.stop();
    rmSync(folder, { recursive: true });
  });
  const context = (service: string) => join(folder, 'contexts', service);
  try {
    await packageServices(context);
    const baseImage = await pushBase(registry, folder);
    // `docker build` looks for buildx beside its login.
    symlinkSync(join(process.env.DOCKER_CONFIG ?? '', 'cli-plugins'), join(folder, 'cli-plugins'));
    return { folder, registry, baseImage, context, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function packageServices(context: (service: string) => string): Promise<void> {
  await run(
    ['mvn', '--batch-mode', '--no-transfer-progress', '--quiet', '-DskipTests', 'package'],
    { cwd: join(checkout, 'examples/services') },
  );
  for (const service of SERVICES) {
    const target = join(checkout, 'examples/services', service, 'target');
    cpSync(target, join(context(service), 'target'), {
      recursive: true,
      filter: (path) => path === target || path.endsWith('.jar'),
    });
  }
}

/** As a developer's commit would: one more file among the classes of one service. */
export async function changeOne({ context, folder }: Bench): Promise<void> {
  const file = 'BOOT-INF/classes/change.txt';
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  writeFileSync(join(folder, file), 'changed');
  const target = join(context(CHANGED), 'target');
  const [jar = ''] = (await run(['find', target, '-name', '*.jar'])).stdout.split('\n');
  await run(['jar', '--update', '--file', jar, '--no-compress', '-C', folder, file]);
}

/** action-build over the four services of the pipeline, for one platform. */
export function buildServices(
  { registry, baseImage, context }: Bench,
  builder: Builder,
  version: string,
  more: Record<string, string> = {},
): Promise<Ended> {
  const images = SERVICES.map((name) => ({
    name,
    context: context(name),
    file: DOCKERFILE,
    'build-args': { BASE_IMAGE: baseImage },
  }));
  return runAction(
    'action-build',
    {
      images: JSON.stringify(images),
      registry: `${registry.address}/ours`,
      username: registry.username,
      password: registry.password,
      version,
      // The base has a finding that nobody has fixed.
      'ignore-unfixed': 'true',
      'trivy-database': database(),
      ...more,
    },
    {
      ...builder.env,
      DOCKER_CONFIG: process.env.DOCKER_CONFIG ?? '',
      RUNNER_TOOL_CACHE: process.env.RUNNER_TOOL_CACHE ?? '',
      SSL_CERT_FILE: registry.authority,
    },
  );
}

/** What it says of each image. @throws AssertionError when it did not end well */
export function builtBy(
  ended: Ended | undefined,
): Record<string, { unchanged: boolean; reference: string }> {
  assert.deepEqual(ended?.errors, []);
  const built = JSON.parse(ended?.outputs.images ?? '{}');
  assert.deepEqual(Object.keys(built).toSorted(), SERVICES.toSorted());
  return built;
}

/** What a hosted runner starts a job with: a builder that has built nothing yet. */
export async function freshBuilder(bench: Bench): Promise<Builder> {
  const folder = mkdtempSync(join(bench.folder, 'builder-'));
  const builder = await startBuilder(folder, bench.registry);
  return { ...builder, stop: gone(builder, folder) };
}

/** The same for `docker build`: an engine without an image, and its socket's address. */
export async function freshEngine(bench: Bench): Promise<Daemon & { host: string }> {
  const folder = mkdtempSync(join(bench.folder, 'engine-'));
  const host = `unix://${join(folder, 'sock')}`;
  const paths = ['--data-root', join(folder, 'data'), '--exec-root', join(folder, 'exec')];
  const engine = await startDaemon(
    [
      ...['dockerd', '--host', host, '--pidfile', join(folder, 'pid'), ...paths],
      ...['--bridge=none', '--iptables=false', '--ip6tables=false', '--storage-driver=overlay2'],
    ],
    join(folder, 'log'),
    async () => (await run(['docker', '--host', host, 'version'], anyExit)).exitCode === 0,
  );
  return { host, stop: gone(engine, folder) };
}

/** Stops it and removes its folder, which has all that it pulled and built. */
function gone({ stop }: Daemon, folder: string): () => Promise<void> {
  return undone(async () => {
    await stop();
    // What a daemon had mounted there may be gone a moment after it.
    rmSync(folder, { recursive: true, maxRetries: 10 });
  });
}

const anyExit = { allowedExitCodes: [0, 1] };

async function pushBase({ address, username, password, authority }: Registry, folder: string) {
  const archives = JSON.parse(
    readFileSync(join(cacheDirectory(), 'images', 'index.json'), 'utf8'),
  ) as { java: string };
  const authFile = join(folder, 'config.json');
  writeFileSync(authFile, dockerConfig({ registry: address, username, password }), { mode: 0o600 });
  const digestFile = join(folder, 'base.digest');
  const name = `${address}/base/java`;
  await run(
    [
      ...['skopeo', 'copy', '--quiet', '--insecure-policy', '--dest-authfile', authFile],
      ...['--digestfile', digestFile, `docker-archive:${archives.java}`, `docker://${name}:latest`],
    ],
    { env: { ...process.env, SSL_CERT_FILE: authority } },
  );
  return `${name}@${readFileSync(digestFile, 'utf8').trim()}`;
}
