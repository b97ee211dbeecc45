import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { runAction } from '../../lib/runner/test/start-action.ts';
import { type Builder, startBuilder } from './builder.ts';
import { log4jJar } from './log4j.ts';
import { type Registry, startRegistry } from './registry.ts';

/** The real BuildKit, Trivy, skopeo and registry: what the gate says is what the registry has. */

const database = join(process.env.COMPTA_CACHE ?? '', 'trivy-db');
let folder: string;
let workspace: string;
let registry: Registry;
let builder: Builder;
let env: Record<string, string>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'compta-gate-'));
  registry = await startRegistry(folder);
  builder = await startBuilder(folder);
  const context = (name: string, ...lines: string[]) => {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'Dockerfile'), ['FROM scratch', ...lines, ''].join('\n'));
    writeFileSync(join(folder, name, 'notes.txt'), `${name}\n`);
  };
  context('clean', 'COPY notes.txt /', 'USER 10001');
  context('vulnerable', 'COPY log4j.jar /app/lib/', 'USER 10001');
  context('root', 'COPY notes.txt /');
  cpSync(await log4jJar(), join(folder, 'vulnerable', 'log4j.jar'));
}, 240_000);

afterAll(async () => {
  await builder?.stop();
  await registry?.stop();
  rmSync(folder, { recursive: true });
}, 30_000);

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

const build = (namespace: string, images: string[], more: Record<string, string> = {}) =>
  runAction(
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
    env,
  );

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

test('an image that runs as root is refused', async () => {
  const ended = await build('refused', ['root']);
  expect(ended.exitCode).toBe(1);
  expect(ended.errors).toEqual([expect.stringContaining('root: image configuration has DS-0002')]);
  expect(await pushedTo('refused')).toEqual([]);
});

test('without a vulnerability database nothing passes', async () => {
  const ended = await build('unscanned', ['clean'], { 'trivy-database': workspace });
  expect(ended.exitCode).toBe(1);
  expect(ended.errors).toEqual([expect.stringContaining('No vulnerability database at')]);
  expect(await pushedTo('unscanned')).toEqual([]);
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
