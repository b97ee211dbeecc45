import { createHash, generateKeyPairSync } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { zipSync } from 'fflate';
import { run } from '../../lib/process/run.ts';
import { startCacheService } from '../../lib/runner/test/cache-service.ts';
import { startAction } from '../../lib/runner/test/start-action.ts';
import { type Builder, startBuilder } from './builder.ts';
import { log4jJar } from './log4j.ts';
import { type Registry, startRegistry } from './registry.ts';

/** The real BuildKit, Trivy, skopeo and registry: what the gate says is what the registry has. */

jest.setTimeout(180_000);

const database = join(process.env.COMPTA_CACHE ?? '', 'trivy-db');
let folder: string;
let workspace: string;
let registry: Registry;
let builder: Builder;
let env: Record<string, string>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'compta-gate-'));
  registry = await startRegistry(folder);
  builder = await startBuilder(folder, registry);
  const context = (name: string, ...lines: string[]) => {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'Dockerfile'), ['FROM scratch', ...lines, ''].join('\n'));
    writeFileSync(join(folder, name, 'notes.txt'), `${name}\n`);
  };
  context('clean', 'COPY notes.txt /', 'USER 10001');
  context('vulnerable', 'COPY log4j.jar /app/lib/', 'USER 10001');
  context('root', 'COPY notes.txt /');
  cpSync(await log4jJar(), join(folder, 'vulnerable', 'log4j.jar'));
  context('secret', 'COPY key.pem /app/', 'USER 10001');
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const key = privateKey.export({ type: 'pkcs1', format: 'pem' });
  writeFileSync(join(folder, 'secret', 'key.pem'), key);
  // What lies before a CMD is a base image's to Trivy.
  context('beneath', 'COPY key.pem /app/', 'CMD ["/app"]', 'COPY notes.txt /', 'USER 10001');
  writeFileSync(join(folder, 'beneath', 'key.pem'), key);
  context(
    'token',
    `ENV GITHUB_TOKEN=ghp_${'0123456789abcdef'.repeat(3).slice(0, 36)}`,
    'USER 10001',
  );
  context(
    'debian',
    'COPY os-release debian_version /etc/',
    'COPY status /var/lib/dpkg/',
    'USER 10001',
  );
  writeFileSync(join(folder, 'debian', 'os-release'), 'ID=debian\nVERSION_ID="12"\n');
  writeFileSync(join(folder, 'debian', 'debian_version'), '12.5\n');
  writeFileSync(join(folder, 'debian', 'status'), ZLIB);
  context('fedora', 'COPY fedora-release /etc/', 'USER 10001');
  writeFileSync(join(folder, 'fedora', 'fedora-release'), 'Fedora release 43 (Forty Three)\n');
}, 240_000);

afterAll(async () => {
  await builder?.stop();
  await registry?.stop();
  rmSync(folder, { recursive: true });
}, 180_000);

beforeEach(() => {
  workspace = mkdtempSync(join(folder, 'workspace-'));
  env = {
    ...builder.env,
    DOCKER_CONFIG: process.env.DOCKER_CONFIG ?? '',
    RUNNER_TOOL_CACHE: process.env.RUNNER_TOOL_CACHE ?? '',
    SSL_CERT_FILE: registry.authority,
    RUNNER_TEMP: workspace,
    GITHUB_WORKSPACE: workspace,
  };
});

/** How dpkg keeps a package; its hole has no mended version in Debian 12. */
const ZLIB = `Package: zlib1g
Status: install ok installed
Source: zlib
Architecture: amd64
Version: 1:1.2.13.dfsg-1
Maintainer: Mark Brown <broonie@debian.org>
Description: compression library

`;

const begin = (
  namespace: string,
  images: string[],
  more: Record<string, string> = {},
  moreEnv: Record<string, string> = {},
) =>
  startAction(
    'action-build',
    {
      images: images
        .map((name) => `- { name: ${name}, context: ${join(folder, name)} }`)
        .join('\n'),
      registry: `${registry.address}/${namespace}`,
      username: registry.username,
      password: registry.password,
      version: '1.4.0',
      'trivy-database': database,
      ...more,
    },
    { ...env, ...moreEnv },
  );

const build = (...how: Parameters<typeof begin>) => begin(...how).ended;

test('one that is cancelled leaves no login, no half of a cache and no image', async () => {
  const [temp, cache] = [join(folder, 'temp-of-cancelled'), join(folder, 'cache-of-cancelled')];
  for (const path of [temp, cache]) mkdirSync(path);
  const begun = begin('cancelled', ['clean', 'vulnerable'], { cache }, { RUNNER_TEMP: temp });
  await begun.said('clean │');
  begun.kill('SIGINT');
  expect((await begun.ended).exitCode).not.toBe(0);
  expect(readdirSync(temp).filter((name) => !name.startsWith('trivy-reports-'))).toEqual([]);
  expect(readdirSync(cache).filter((name) => name.includes('.next-'))).toEqual([]);
  expect(await pushedTo('cancelled')).toEqual([]);
});

test('a clean image is pushed: the very bytes that were scanned, under every tag', async () => {
  const ended = await build('passed', ['clean'], { tags: 'develop' });
  expect(ended).toMatchObject({ exitCode: 0, errors: [], outputs: { passed: 'true' } });
  const { clean } = JSON.parse(ended.outputs.images ?? '');
  const stored = await registry.manifest('passed/clean', '1.4.0');
  expect(clean).toMatchObject({
    digest: stored.digest,
    reference: `${registry.address}/passed/clean@${stored.digest}`,
    tags: ['1.4.0', 'develop'],
  });
  expect(stored.digest).toBe(`sha256:${createHash('sha256').update(stored.body).digest('hex')}`);
  expect((await registry.manifest('passed/clean', 'develop')).digest).toBe(stored.digest);

  const scanned = JSON.parse(
    readFileSync(join(ended.outputs.reports ?? '', 'clean-linux-amd64.json'), 'utf8'),
  );
  expect(scanned.Metadata.ImageID).toBe(JSON.parse(stored.body).config.digest);
  expect(ended.summary).toContain('1 images scanned and pushed');
  expect(ended.summary).toContain(`clean@${stored.digest}`);
});

test('several platforms are one index, each scanned for itself', async () => {
  const platforms = 'linux/amd64\nlinux/arm64';
  const ended = await build('several', ['clean'], { platforms });
  expect(ended).toMatchObject({ exitCode: 0, errors: [] });
  const stored = await registry.manifest('several/clean', '1.4.0');
  expect(JSON.parse(ended.outputs.images ?? '').clean.digest).toBe(stored.digest);
  const { manifests } = JSON.parse(stored.body);
  expect(manifests).toHaveLength(2);
  for (const { digest, platform } of manifests) {
    const { config } = JSON.parse((await registry.manifest('several/clean', digest)).body);
    const report = join(ended.outputs.reports ?? '', `clean-linux-${platform.architecture}.json`);
    expect(JSON.parse(readFileSync(report, 'utf8')).Metadata.ImageID).toBe(config.digest);
  }
});

describe('an image with a known hole', () => {
  test('is refused, and so is its blameless neighbour', async () => {
    const ended = await build('refused', ['clean', 'vulnerable']);
    expect(ended).toMatchObject({ exitCode: 1, outputs: { passed: 'false' } });
    expectRefusal(ended.errors);
    expect(ended.summary).toContain('1 of 2 images refused: nothing was pushed');
    expect(ended.summary).toContain('Why vulnerable was refused');
    expect(ended.summary).toContain('CVE-2021-44228');
    expect(await pushedTo('refused')).toEqual([]);
  });

  test('stays refused whatever the checkout and the environment tell Trivy', async () => {
    const settings = { severity: ['LOW'], scan: { 'skip-dirs': ['/app'] }, 'exit-code': 0 };
    writeFileSync(join(workspace, 'trivy.yaml'), JSON.stringify(settings));
    writeFileSync(join(workspace, '.trivyignore'), 'CVE-2021-44228\nCVE-2021-45046\n');
    writeFileSync(
      join(workspace, '.trivyignore.yaml'),
      'vulnerabilities:\n  - id: CVE-2021-44228\n  - id: CVE-2021-45046\n',
    );
    Object.assign(env, {
      TRIVY_SEVERITY: 'LOW',
      TRIVY_IGNOREFILE: join(workspace, '.trivyignore'),
      TRIVY_SKIP_DIRS: '/app',
    });
    const ended = await build('swayed', ['vulnerable']);
    expect(ended.exitCode).toBe(1);
    expectRefusal(ended.errors);
    expect(await pushedTo('swayed')).toEqual([]);
  });

  test('passes when the step itself names an ignore file that covers it', async () => {
    const file = join(workspace, 'accepted.yaml');
    const { errors } = await build('accepted', ['vulnerable'], { push: 'false' });
    const found = [...new Set((errors[0] ?? '').match(/CVE-\d+-\d+/g))];
    expect(found.length).toBeGreaterThan(0);
    const vulnerabilities = found.map((id) => ({ id, statement: 'not reachable' }));
    writeFileSync(file, JSON.stringify({ vulnerabilities }));
    const ended = await build('accepted', ['vulnerable'], { 'ignore-file': file, push: 'false' });
    expect(ended).toMatchObject({ exitCode: 0, errors: [] });
    expect(ended.summary).toContain('1 images scanned, not pushed');
    expect(await pushedTo('accepted')).toEqual([]);
  });
});

test.each([
  ['root', 'the root user', 'root: image configuration has DS-0002'],
  ['secret', 'a planted private key', 'secret: /app/key.pem has private-key (HIGH)'],
  ['beneath', 'a key in a base image', 'beneath: /app/key.pem has private-key (HIGH)'],
  ['token', 'a token in a variable', 'token: image configuration has github-pat (CRITICAL)'],
  ['fedora', 'a distribution that Trivy does not know', 'Trivy has no advisories for fedora 43'],
  ['debian', 'a vulnerable Debian package', 'debian: zlib1g 1:1.2.13.dfsg-1 has CVE-2023-45853'],
])('%s: %s is refused before anything reaches the registry', async (image, _what, says) => {
  writeFileSync(join(workspace, 'trivy-secret.yaml'), 'disable-rules: [private-key]\n');
  const ended = await build('refused', ['clean', image], { cache: 'registry' });
  expect(ended.exitCode).toBe(1);
  expect(ended.errors).toEqual([expect.stringContaining(says)]);
  expect(await pushedTo('refused')).toEqual([]);
  const { reports = '' } = ended.outputs;
  for (const name of existsSync(reports) ? readdirSync(reports) : []) {
    if (name.endsWith('.json'))
      expect(readFileSync(join(reports, name), 'utf8')).not.toContain('ghp_0123');
  }
});

test('an accepted finding passes with its reason on its last day, and not the day after', async () => {
  const file = join(workspace, 'accepted.yaml');
  const accept = (lastDay: Date) =>
    writeFileSync(
      file,
      `secrets:
  - { id: private-key, paths: [app/*.pem], statement: key of a test, expired_at: ${lastDay.toISOString().slice(0, 10)} }
  - { id: aws-access-key-id, statement: long gone }\n`,
    );
  const day = 24 * 3_600_000;
  accept(new Date(Date.now() + day));
  const passed = await build('dated', ['secret'], { 'ignore-file': file, push: 'false' });
  expect(passed).toMatchObject({ exitCode: 0, errors: [] });
  expect(passed.summary).toContain('key of a test');
  expect(passed.warnings).toEqual([expect.stringContaining('aws-access-key-id')]);

  accept(new Date(Date.now() - day));
  const refused = await build('dated', ['secret'], { 'ignore-file': file });
  expect(refused.exitCode).toBe(1);
  expect(refused.warnings).toContainEqual(expect.stringMatching(/private-key.*has expired/));
  expect(await pushedTo('dated')).toEqual([]);
});

test('one scan gives every form of report, and what is known lies beside the image', async () => {
  const ended = await build('described', ['clean'], { 'derive-tags': 'true' });
  expect(ended).toMatchObject({ exitCode: 0, errors: [] });
  const { reports = '', sarif = '', sboms = '' } = ended.outputs;
  const read = (path: string) => JSON.parse(readFileSync(path, 'utf8'));
  expect(read(join(sarif, 'clean-linux-amd64.sarif')).version).toBe('2.1.0');
  expect(read(join(sboms, 'clean-linux-amd64.cdx.json')).bomFormat).toBe('CycloneDX');
  const spdx = read(join(sboms, 'clean-linux-amd64.spdx.json'));
  expect(spdx.spdxVersion).toMatch(/^SPDX-2/);
  expect(read(join(reports, 'clean-linux-amd64.json')).SchemaVersion).toBe(2);

  const { digest } = JSON.parse(ended.outputs.images ?? '').clean;
  const hex = digest.replace('sha256:', '');
  const attached = [`sha256-${hex}.provenance`, `sha256-${hex}.sbom`];
  expect((await registry.tags('described/clean')).toSorted()).toEqual([
    '1',
    '1.4',
    '1.4.0',
    ...attached,
  ]);
  for (const tag of attached) {
    const { body } = await registry.manifest('described/clean', tag);
    expect(JSON.parse(body).subject.digest).toBe(digest);
  }
});

test('two builds from nothing are the same bytes', async () => {
  const digestOf = async (namespace: string) => {
    const ended = await build(namespace, ['clean'], { push: 'false' });
    return JSON.parse(ended.outputs.images ?? '').clean.digest;
  };
  const first = await digestOf('once');
  await run(['docker', 'buildx', 'prune', '--all', '--force'], { env: { ...process.env, ...env } });
  const notes = join(folder, 'clean', 'notes.txt');
  utimesSync(notes, new Date(), new Date());
  expect(await digestOf('twice')).toBe(first);
});

test('every time in an image is SOURCE_DATE_EPOCH, and its labels tell where it comes from', async () => {
  env.SOURCE_DATE_EPOCH = '1700000000';
  const ended = await build('labelled', ['clean'], { push: 'false' });
  const report = join(ended.outputs.reports ?? '', 'clean-linux-amd64.json');
  const { created, history, config } = JSON.parse(readFileSync(report, 'utf8')).Metadata
    .ImageConfig;
  const then = expect.stringMatching(/^2023-11-14T22:13:20(\.000)?Z$/);
  expect(created).toEqual(then);
  for (const step of history) expect(step.created).toEqual(then);
  expect(config.Labels).toEqual({
    'org.opencontainers.image.title': 'clean',
    'org.opencontainers.image.version': '1.4.0',
    'org.opencontainers.image.revision': '0123456789abcdef0123456789abcdef01234567',
    'org.opencontainers.image.source': 'https://github.com/compta/compta',
    'org.opencontainers.image.created': then,
  });
});

test('an image that only its labels tell from the one before keeps its digest', async () => {
  const describe = (ended: { outputs: Record<string, string> }) =>
    JSON.parse(ended.outputs.images ?? '');
  const images = ['clean', 'debian'];
  const platforms = 'linux/amd64\nlinux/arm64';
  const policy = {
    'ignore-unfixed': 'true',
    'unchanged-from': 'develop',
    tags: 'develop',
    platforms,
  };
  const before = await build('kept', images, policy);
  expect(before).toMatchObject({ exitCode: 0, errors: [] });
  expect(before.summary).toMatch(/Not fixed by anybody yet.*zlib1g .*CVE-2023-45853.*debian/s);
  writeFileSync(join(folder, 'debian', 'os-release'), 'ID=debian\nVERSION_ID="12"\nNAME=x\n');
  const after = await build('kept', images, { ...policy, version: '1.5.0' });
  const [former, now] = [describe(before), describe(after)];
  expect(now.clean).toMatchObject({ digest: former.clean.digest, unchanged: true });
  expect(now.debian.unchanged).toBe(false);
  expect(now.debian.digest).not.toBe(former.debian.digest);
  expect((await registry.manifest('kept/clean', '1.5.0')).digest).toBe(former.clean.digest);
  // What the registry has by this tag is not brought there again.
  expect(after.stdout.match(/pushed .*:develop$/gm)).toEqual([
    expect.stringContaining('kept/debian:develop'),
  ]);
});

describe('with a cache in a folder, an image that did not change', () => {
  let cache: string;
  beforeEach(() => {
    cache = mkdtempSync(join(folder, 'cache-'));
  });

  /** By a builder that knows nothing, as a hosted runner's. */
  const buildAgain = async (namespace: string, name: string, more: Record<string, string> = {}) => {
    await run(['docker', 'buildx', 'prune', '--all', '--force'], {
      env: { ...process.env, ...env },
    });
    const policy = { cache, tags: 'develop', 'unchanged-from': 'develop', ...more };
    const ended = await build(namespace, [name], policy);
    return { ...ended, image: JSON.parse(ended.outputs.images ?? '{}')[name] };
  };
  const exported = /exporting to oci image format/;

  test('is not built, and released by the digest that it has', async () => {
    const before = await buildAgain('spared', 'clean');
    expect(before).toMatchObject({ exitCode: 0, errors: [] });
    expect(before.stdout).toMatch(exported);
    const after = await buildAgain('spared', 'clean', { version: '1.5.0' });
    expect(after).toMatchObject({ exitCode: 0, errors: [] });
    expect(after.stdout).not.toMatch(exported);
    expect(after.image).toMatchObject({ digest: before.image.digest, unchanged: true });
    expect((await registry.manifest('spared/clean', '1.5.0')).digest).toBe(before.image.digest);
  });

  test('is scanned all the same, with or without what Trivy knows of its layers', async () => {
    const accepted = join(workspace, 'accepted.yaml');
    writeFileSync(accepted, 'secrets: [{ id: private-key, statement: a key of the tests }]\n');
    const before = await buildAgain('spared', 'beneath', { 'ignore-file': accepted });
    expect(before).toMatchObject({ exitCode: 0, errors: [] });
    for (const known of [true, false]) {
      if (!known) rmSync(join(cache, '.trivy'), { recursive: true });
      const after = await buildAgain('spared', 'beneath', { version: '1.5.0' });
      expect(after.stdout).not.toMatch(exported);
      expect(after.image).toMatchObject({ unchanged: true });
      expect(after.errors).toEqual([
        expect.stringContaining('beneath: /app/key.pem has private-key'),
      ]);
    }
  });

  test('is built anew when the tag of its base means another image', async () => {
    const publish = (tree: string) =>
      build('bases', [], {
        images: `- { name: base, context: ${join(folder, tree)} }`,
        tags: 'stable',
        'ignore-unfixed': 'true',
      });
    await publish('clean');
    mkdirSync(join(folder, 'based'), { recursive: true });
    const from = `FROM ${registry.address}/bases/base:stable\nCOPY Dockerfile /\n`;
    writeFileSync(join(folder, 'based', 'Dockerfile'), from);
    await buildAgain('spared', 'based');
    expect((await buildAgain('spared', 'based')).image).toMatchObject({ unchanged: true });
    await publish('debian');
    const after = await buildAgain('spared', 'based', { 'ignore-unfixed': 'true' });
    expect(after.errors).toEqual([]);
    expect(after.stdout).toMatch(exported);
    expect(after.image.unchanged).toBe(false);
  });

  test('is looked at again when Trivy could not read all of it, or others may have pushed it', async () => {
    mkdirSync(join(folder, 'damaged'), { recursive: true });
    writeFileSync(join(folder, 'damaged', 'Dockerfile'), 'FROM scratch\nCOPY app.jar /\nUSER 1\n');
    const jar = zipSync({ 'lib/damaged.jar': Buffer.from('no archive') });
    writeFileSync(join(folder, 'damaged', 'app.jar'), jar);
    const first = await buildAgain('damaged', 'damaged');
    expect(first.errors).toEqual([]);
    expect(first.warnings).toContainEqual(
      expect.stringMatching(/could not read all of damaged-linux-amd64.*lib\/damaged\.jar/),
    );
    expect(existsSync(join(cache, '.released/damaged.json'))).toBe(true);
    expect(existsSync(join(cache, '.trivy'))).toBe(false);
    await build('damaged', ['clean'], { tags: 'develop' });
    const images = '- { name: clean, from: develop }';
    expect((await build('damaged', [], { images, cache, version: '2.0.0' })).errors).toEqual([]);
    expect(existsSync(join(cache, '.trivy'))).toBe(false);
  });

  test("is built anew where somebody else's has its tag", async () => {
    await buildAgain('taken', 'clean');
    const images = `- { name: clean, context: ${join(folder, 'debian')} }`;
    await build('taken', [], { images, tags: 'develop', 'ignore-unfixed': 'true' });
    const after = await buildAgain('taken', 'clean', { version: '1.5.0' });
    expect(after.stdout).toMatch(exported);
    expect(after.image.unchanged).toBe(false);
    expect((await registry.manifest('taken/clean', 'develop')).digest).toBe(after.image.digest);
  });
});

test('an image is promoted: taken by a tag, scanned anew, tagged, and the same bytes', async () => {
  const images = '- { name: clean, from: proven-1 }';
  const before = await build('promoted', ['clean'], { tags: 'proven-1', attest: 'false' });
  const { clean } = JSON.parse(before.outputs.images ?? '');
  const ended = await build('promoted', [], { images, version: '1.4.1-main' });
  expect(ended).toMatchObject({ exitCode: 0, errors: [] });
  expect(JSON.parse(ended.outputs.images ?? '').clean).toMatchObject({
    digest: clean.digest,
    version: '1.4.0',
    unchanged: true,
  });
  expect((await registry.manifest('promoted/clean', '1.4.1-main')).digest).toBe(clean.digest);
  // Nobody said before what is in it.
  const sbom = `${clean.digest.replace(':', '-')}.sbom`;
  expect(await registry.tags('promoted/clean')).toEqual(expect.arrayContaining([sbom]));
});

test('a push that fails leaves the verdict of the gate, and says what is out', async () => {
  const ended = await build('locked', ['clean'], { password: 'not-the-password' });
  expect(ended).toMatchObject({ exitCode: 1, outputs: { passed: 'true' } });
  expect(ended.errors).toEqual([expect.stringContaining("Check 'username' and 'password'")]);
  expect(JSON.parse(ended.outputs.images ?? '')).toHaveProperty('clean.digest');
  expect(ended.summary).toContain('1 images scanned, and 0 of them pushed');
});

test('an image that was proven for one platform is not promoted for two', async () => {
  await build('single', ['clean'], { tags: 'proven-1' });
  const images = '- { name: clean, from: proven-1 }';
  const platforms = 'linux/amd64\nlinux/arm64';
  const ended = await build('single', [], { images, platforms, version: '1.4.1' });
  expect(ended.exitCode).toBe(1);
  expect(ended.errors).toEqual([expect.stringContaining('clean is not made for linux/arm64')]);
  expect(await registry.tags('single/clean')).not.toContain('1.4.1');
});

test('an image that was never proven cannot be promoted', async () => {
  const images = '- { name: clean, from: proven-2 }';
  const ended = await build('promoted', [], { images });
  expect(ended.exitCode).toBe(1);
  expect(ended.errors).toEqual([expect.stringContaining('clean:proven-2 is not in the registry')]);
});

describe('a cache outlives the builder', () => {
  /** What the second build says of a builder that has forgotten the first. */
  const secondBuild = async (namespace: string, cache: string) => {
    await build(namespace, ['clean'], { cache });
    await run(['docker', 'buildx', 'prune', '--all', '--force'], {
      env: { ...process.env, ...env },
    });
    const again = await build(namespace, ['clean'], { cache });
    expect(again).toMatchObject({ exitCode: 0, errors: [] });
    return again.stdout;
  };
  const cached = /COPY notes\.txt.*CACHED/s;

  test('in a folder, of which nothing is written that is there', async () => {
    const cache = join(folder, 'cache');
    const blobs = join(cache, 'clean/blobs/sha256');
    await build('cached-folder', ['clean'], { cache });
    const inodes = () =>
      Object.fromEntries(readdirSync(blobs).map((name) => [name, statSync(join(blobs, name)).ino]));
    const before = inodes();
    expect(Object.keys(before).length).toBeGreaterThan(2);
    expect(await secondBuild('cached-folder', cache)).toMatch(cached);
    expect(inodes()).toEqual(before);
  });

  test('in the registry', async () => {
    expect(await secondBuild('cached-registry', 'registry')).toMatch(cached);
  });

  test('at GitHub, in a scope of the image', async () => {
    const service = await startCacheService();
    try {
      env.ACTIONS_CACHE_URL = service.url;
      env.ACTIONS_RUNTIME_TOKEN = tokenOfJob();
      // BuildKit says nothing but that it fetches the layer, in the place of making it.
      const fetched = /#(\d+) \[1\/1\] COPY notes\.txt \/\n.*#\1 sha256:[0-9a-f]{64} .*done/;
      expect(await secondBuild('cached-github', 'github')).toMatch(fetched);
      expect(service.entries.map(({ key }) => key)).toContainEqual(
        expect.stringMatching(/^index-clean-/),
      );
    } finally {
      service.close();
    }
  });
});

/** As GitHub gives a job one: which caches it may read and write. */
function tokenOfJob(): string {
  const now = Math.floor(Date.now() / 1000);
  const ac = JSON.stringify([{ Scope: 'refs/heads/develop', Permission: 3 }]);
  const part = (content: object) => Buffer.from(JSON.stringify(content)).toString('base64url');
  return `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ ac, nbf: now - 60, exp: now + 3600 })}.c2lnbmF0dXJl`;
}

/** A copy of the database with a change. */
function changed(change: (copy: string) => void): string {
  const copy = join(workspace, 'database');
  cpSync(database, copy, { recursive: true });
  change(copy);
  return copy;
}

/** Makes a database one whose successor was due so many hours ago. */
function age(copy: string, hours: number): void {
  const NextUpdate = new Date(Date.now() - hours * 3_600_000).toISOString();
  writeFileSync(join(copy, 'db', 'metadata.json'), JSON.stringify({ Version: 2, NextUpdate }));
}

test('a database may be older where that is said, and nothing lies beside an image unasked', async () => {
  const ended = await build('plain', ['clean'], {
    'trivy-database': changed((copy) => age(copy, 80)),
    'trivy-database-grace': '96h',
    attest: 'false',
  });
  expect(ended).toMatchObject({ exitCode: 0, errors: [], outputs: { passed: 'true' } });
  expect(await registry.tags('plain/clean')).toEqual(['1.4.0']);
});

describe('a database that is no good refuses everything', () => {
  test.each<[string, (copy: string) => void, string]>([
    ['too old', (copy) => age(copy, 80), 'too old: its successor was due 80 hours ago'],
    [
      'without its Java index',
      (copy) => rmSync(join(copy, 'java-db/trivy-java.db')),
      'No vulnerability database at',
    ],
    [
      'makes the scanner crash',
      (copy) => writeFileSync(join(copy, 'db', 'trivy.db'), 'no database'),
      'clean for linux/amd64 could not be scanned, so it cannot pass',
    ],
  ])('%s', async (_what, change, says) => {
    const ended = await build('unjudged', ['clean'], { 'trivy-database': changed(change) });
    expect(ended.exitCode).toBe(1);
    expect(ended.errors).toEqual([expect.stringContaining(says)]);
    expect(await pushedTo('unjudged')).toEqual([]);
  });
});

test('without a vulnerability database nothing passes', async () => {
  const ended = await build('unscanned', ['clean'], { 'trivy-database': workspace });
  expect(ended.exitCode).toBe(1);
  expect(ended.errors).toEqual([expect.stringContaining('No vulnerability database at')]);
  expect(await pushedTo('unscanned')).toEqual([]);
});

test('an image is the stage that is named, with its arguments, and held to the severities that count', async () => {
  const context = mkdtempSync(join(workspace, 'staged-'));
  const stages = ['first', 'second'].map(
    (name) =>
      `FROM scratch AS ${name}\nCOPY Dockerfile /${name}\nARG TEAM=nobody\nENV TEAM=$TEAM\n`,
  );
  writeFileSync(join(context, 'Dockerfile'), stages.join(''));
  const entry = { name: 'staged', context, target: 'first', 'build-args': { TEAM: 'ledger' } };
  const inputs = { images: JSON.stringify([entry]), parallel: '1', push: 'false' };
  const ended = await build('staged', [], { ...inputs, severity: 'critical' });
  expect(ended).toMatchObject({ exitCode: 0, errors: [] });
  expect(JSON.parse(ended.outputs.images ?? '').staged.findings.HIGH).toBe(1);
  const report = join(ended.outputs.reports ?? '', 'staged-linux-amd64.json');
  const { config, history } = JSON.parse(readFileSync(report, 'utf8')).Metadata.ImageConfig;
  expect(config.Env).toContain('TEAM=ledger');
  expect(JSON.stringify(history)).toMatch(/COPY Dockerfile \/first/);
  expect((await build('staged', [], inputs)).exitCode).toBe(1);
});

test('a Dockerfile may be a link, which BuildKit itself does not follow', async () => {
  const link = join(workspace, 'Dockerfile');
  symlinkSync(join(folder, 'clean', 'Dockerfile'), link);
  const images = `- { name: clean, context: ${join(folder, 'clean')}, file: ${link} }`;
  const ended = await build('linked', ['clean'], { images, push: 'false' });
  expect(ended).toMatchObject({ exitCode: 0, errors: [] });
});

test('an image that does not build names itself', async () => {
  const ended = await build('unbuilt', ['clean'], {
    images: `- { name: gone, context: ${workspace} }`,
  });
  expect(ended.exitCode).toBe(1);
  expect(ended.errors).toHaveLength(1);
  expect(ended.errors[0]).toContain('gone');
  expect(ended.errors[0]).toContain('Dockerfile');
});

test('a wrong password is one clear annotation, and is nowhere to be read', async () => {
  const password = 'a-mistyped-registry-password';
  const ended = await build('unauthorised', ['clean'], { password });
  expect(ended.exitCode).toBe(1);
  expect(ended.errors).toHaveLength(1);
  expect(ended.errors[0]).toContain(registry.address);
  expect(ended.errors[0]).toContain("Check 'username' and 'password'");
  const login = Buffer.from(`${registry.username}:${password}`).toString('base64');
  for (const text of [visible(ended.stdout), ended.summary, JSON.stringify(ended.outputs)]) {
    expect(text).not.toContain(password);
    expect(text).not.toContain(login);
  }
  expect(await pushedTo('unauthorised')).toEqual([]);
});

describe('a key', () => {
  const password = 'the-password-of-the-key';
  let signing: { 'sign-key': string; 'sign-password': string };
  const cosign = (...words: string[]) =>
    run(['cosign', ...words], {
      cwd: folder,
      env: { ...process.env, COSIGN_PASSWORD: password, SSL_CERT_FILE: registry.authority },
    });
  const verify = (key: string, reference: string) => {
    const account = [`--registry-username=${registry.username}`];
    account.push(`--registry-password=${registry.password}`);
    return cosign('verify', `--key=${key}`, '--insecure-ignore-tlog', ...account, reference);
  };
  beforeAll(async () => {
    for (const name of ['cosign', 'other']) {
      await cosign('generate-key-pair', `--output-key-prefix=${name}`);
    }
    const key = readFileSync(join(folder, 'cosign.key'), 'utf8');
    signing = { 'sign-key': key, 'sign-password': password };
  });

  test('signs what is pushed before it has a tag, and whoever has the public half can tell', async () => {
    const platforms = 'linux/amd64\nlinux/arm64';
    const ended = await build('signed', ['clean'], { ...signing, platforms });
    expect(ended).toMatchObject({ exitCode: 0, errors: [] });
    const { digest, reference } = JSON.parse(ended.outputs.images ?? '').clean;
    expect(ended.stdout.match(/^(signed .*|pushed .*:1\.4\.0)$/gm)).toEqual([
      `signed ${reference}`,
      `pushed ${registry.address}/signed/clean:1.4.0`,
    ]);
    expect((await verify('cosign.pub', reference)).stdout).toContain(digest);
    expect(ended.summary).toContain(readFileSync(join(folder, 'cosign.pub'), 'utf8').trim());
    await expect(verify('other.pub', reference)).rejects.toThrow('failed with exit code');

    const [, line = ''] = signing['sign-key'].split('\n');
    for (const text of [visible(ended.stdout), ended.summary, JSON.stringify(ended.outputs)]) {
      expect(text).not.toContain(password);
      expect(text).not.toContain(line);
    }
  });

  test.each([
    ['that another password opens', () => ({ 'sign-password': 'mistyped' })],
    [
      'that is broken',
      () => ({ 'sign-key': signing['sign-key'].replace(/\n\w{8}/, '\nAAAAAAAA') }),
    ],
  ])('%s ends the step before anything is built', async (_, wrong) => {
    const ended = await build('unsigned', ['clean'], { ...signing, ...wrong() });
    expect(ended.exitCode).toBe(1);
    expect(ended.errors).toEqual([
      expect.stringContaining("Input 'sign-key' cannot be opened with 'sign-password'."),
    ]);
    expect(ended.stdout).not.toContain('clean │');
    expect(await pushedTo('unsigned')).toEqual([]);
  });
});

function expectRefusal(errors: string[]): void {
  expect(errors).toHaveLength(1);
  expect(errors[0]).toMatch(
    /vulnerable: org\.apache\.logging\.log4j:log4j-core 2\.14\.1 has CVE-2021-44228 \(CRITICAL\), fixed in .*2\.15\.0/,
  );
}

async function pushedTo(namespace: string): Promise<string[]> {
  return (await registry.repositories()).filter((name) => name.startsWith(`${namespace}/`));
}

/** What a reader of the log sees: the runner takes `add-mask` commands out of it. */
function visible(stdout: string): string {
  return stdout.replaceAll(/^::add-mask::.*$/gm, '');
}
