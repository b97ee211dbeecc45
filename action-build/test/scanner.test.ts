import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, jest, test } from '@jest/globals';
import { run } from '../../lib/process/run.ts';
import { startCacheService } from '../../lib/runner/test/cache-service.ts';
import { runAction } from '../../lib/runner/test/start-action.ts';
import { SECRET_RULES } from '../src/commands.ts';
import { type Builder, startBuilder } from './builder.ts';
import { type Registry, startRegistry } from './registry.ts';

/** What is around the real Trivy while it scans, and where its databases come from. */

jest.setTimeout(180_000);

const database = join(process.env.COMPTA_CACHE ?? '', 'trivy-db');
let folder: string;
let temp: string;
let registry: Registry;
let builder: Builder;
let env: Record<string, string>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'compta-scanner-'));
  registry = await startRegistry(folder);
  builder = await startBuilder(folder, registry);
  mkdirSync(join(folder, 'clean'));
  writeFileSync(
    join(folder, 'clean', 'Dockerfile'),
    'FROM scratch\nCOPY Dockerfile /\nUSER 10001\n',
  );
}, 240_000);

afterAll(async () => {
  await builder?.stop();
  await registry?.stop();
  rmSync(folder, { recursive: true });
});

beforeEach(() => {
  temp = mkdtempSync(join(folder, 'temp-'));
  env = {
    ...builder.env,
    DOCKER_CONFIG: process.env.DOCKER_CONFIG ?? '',
    RUNNER_TOOL_CACHE: process.env.RUNNER_TOOL_CACHE ?? '',
    SSL_CERT_FILE: registry.authority,
    RUNNER_TEMP: temp,
  };
});

const build = (inputs: Record<string, string>) =>
  runAction(
    'action-build',
    {
      images: `- { name: clean, context: ${join(folder, 'clean')} }`,
      registry: `${registry.address}/compta`,
      username: registry.username,
      password: registry.password,
      version: '1.4.0',
      push: 'false',
      ...inputs,
    },
    env,
  );

test('the scanner that is named has no way to the network, no credential and only our rules around it', async () => {
  const seen = join(temp, 'seen');
  const version = '0.70.1';
  env.RUNNER_TOOL_CACHE = join(temp, 'tools');
  const shelf = join(env.RUNNER_TOOL_CACHE, 'trivy', version);
  mkdirSync(join(shelf, process.arch), { recursive: true });
  writeFileSync(join(shelf, `${process.arch}.complete`), '');
  const real = join(process.env.RUNNER_TOOL_CACHE ?? '', 'trivy', '0.70.0', process.arch, 'trivy');
  const looks = `{ echo "$1 among: $(ls -A)"; env; } >> ${seen}`;
  writeFileSync(
    join(shelf, process.arch, 'trivy'),
    `#!/bin/sh\n${looks}\nexec unshare --net ${real} "$@"\n`,
    { mode: 0o755 },
  );
  const secrets = {
    HCLOUD_TOKEN: 'token-of-the-cloud',
    AWS_SECRET_ACCESS_KEY: 'key-of-the-state',
    ACTIONS_RUNTIME_TOKEN: 'token-of-the-job',
    GITHUB_TOKEN: 'token-of-the-repository',
  };
  Object.assign(env, secrets);
  const ended = await build({ 'trivy-database': database, 'trivy-version': version });
  expect(ended).toMatchObject({ exitCode: 0, errors: [], outputs: { passed: 'true' } });
  const told = readFileSync(seen, 'utf8');
  expect(told.match(/^\w+ among: .*$/gm)).toEqual([
    `image among: ${SECRET_RULES.name}`,
    ...Array(3).fill(`convert among: ${SECRET_RULES.name}`),
  ]);
  for (const secret of [...Object.values(secrets), registry.password, 'DOCKER_CONFIG']) {
    expect(told).not.toContain(secret);
  }
});

test('the databases come from the mirror, once for all jobs of a day', async () => {
  const mirror = await startMirror();
  const cache = await startCacheService();
  // The runner empties it between jobs; its path is a part of what GitHub finds a cache by.
  const job = async (push = false) => {
    rmSync(temp, { recursive: true });
    mkdirSync(temp);
    return build({
      'trivy-database-mirror': `${mirror.address}/aquasec`,
      // One that asks for no login.
      registry: `${mirror.address}/compta`,
      username: '',
      password: '',
      push: String(push),
    });
  };
  try {
    env.ACTIONS_CACHE_URL = cache.url;
    expect(await job(true)).toMatchObject({ exitCode: 0, errors: [], outputs: { passed: 'true' } });
    expect(await mirror.tags('compta/clean')).toContain('1.4.0');
    const from = createHash('sha256').update(`${mirror.address}/aquasec`).digest('hex');
    expect(cache.entries).toMatchObject(
      ['db', 'java-db'].map((part) => ({
        key: expect.stringMatching(
          new RegExp(`^compta-trivy-${part}-${from.slice(0, 16)}-\\d{4}-\\d\\d-\\d\\d$`),
        ),
        committed: true,
      })),
    );
    // Of what breaks off on the way the half that came is no database.
    for (const entry of cache.entries) {
      const whole = Buffer.concat(entry.parts);
      entry.parts = [whole.subarray(0, whole.length / 2)];
    }
    expect(await job()).toMatchObject({ exitCode: 0, errors: [], outputs: { passed: 'true' } });
    await mirror.stop();
    expect(await job()).toMatchObject({ exitCode: 0, errors: [], outputs: { passed: 'true' } });
    env.ACTIONS_CACHE_URL = '';
    const ended = await job();
    expect(ended.exitCode).toBe(1);
    expect(ended.errors).toEqual([
      expect.stringContaining("Trivy's db could not be downloaded: nothing can pass."),
    ]);
  } finally {
    cache.close();
    await mirror.stop();
  }
});

/** A registry that anybody may read, with the databases in it as Trivy's makers publish them. */
async function startMirror(): Promise<Registry> {
  const place = join(temp, '..', 'mirror');
  mkdirSync(place);
  const mirror = await startRegistry(place, 'open');
  const authorities = [registry, mirror].map(({ authority }) => readFileSync(authority, 'utf8'));
  env.SSL_CERT_FILE = join(place, 'authorities.pem');
  writeFileSync(env.SSL_CERT_FILE, authorities.join(''));
  for (const [part, file, kind, tag] of [
    ['db', 'trivy.db', 'db', '2'],
    ['java-db', 'trivy-java.db', 'javadb', '1'],
  ] as const) {
    const archive = join(place, `${part}.tar.gz`);
    await run(['tar', '-czf', archive, '-C', join(database, part), 'metadata.json', file]);
    const layout = join(place, part);
    const kindOf = `application/vnd.aquasec.trivy.${kind}.layer.v1.tar+gzip`;
    writeDatabase(layout, kindOf, `${part}.tar.gz`, readFileSync(archive));
    await run(
      [
        ...['skopeo', 'copy', '--quiet', `oci:${layout}`],
        `docker://${mirror.address}/aquasec/trivy-${part}:${tag}`,
      ],
      { env: { ...process.env, ...env } },
    );
  }
  return mirror;
}

/** An artifact of one file with its name, as `oras push` makes them. */
function writeDatabase(layout: string, mediaType: string, title: string, content: Buffer): void {
  mkdirSync(join(layout, 'blobs/sha256'), { recursive: true });
  const put = (bytes: Buffer, mediaType: string) => {
    const hash = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(join(layout, 'blobs/sha256', hash), bytes);
    return { mediaType, digest: `sha256:${hash}`, size: bytes.length };
  };
  const config = put(Buffer.from('{}'), 'application/vnd.oci.empty.v1+json');
  const annotations = { 'org.opencontainers.image.title': title };
  const manifest = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config,
    layers: [{ ...put(content, mediaType), annotations }],
  };
  writeFileSync(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  const manifests = [put(Buffer.from(JSON.stringify(manifest)), manifest.mediaType)];
  writeFileSync(join(layout, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
}
