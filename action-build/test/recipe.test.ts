import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { basesIn } from '../src/bases.ts';
import { recipeOf } from '../src/recipe.ts';

const HEX = 'a'.repeat(64);

describe('the recipe of an image', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'compta-recipe-'));
    mkdirSync(join(folder, 'context/lib'), { recursive: true });
    write('context/lib/a.jar', 'a');
    write('Dockerfile', 'FROM scratch');
    symlinkSync('a.jar', join(folder, 'context/lib/link'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
  const recipe = (image = {}, inputs = {}, env = {}) =>
    recipeOf(
      {
        name: 'auth-service',
        context: join(folder, 'context'),
        file: join(folder, 'Dockerfile'),
        target: undefined,
        buildArgs: { A: '1' },
        ...image,
      },
      { platforms: ['linux/amd64'], version: '1.0.0', epoch: 0, ...inputs },
      env,
    );

  test('is the same for another commit and version, and for files of another time', async () => {
    const before = await recipe();
    write('context/lib/a.jar', 'a');
    const after = await recipe({}, { version: '1.1.0' }, { GITHUB_SHA: 'abc' });
    expect(after).toBe(before);
  });

  test.each<[string, () => void]>([
    ['a file with another content', () => write('context/lib/a.jar', 'b')],
    ['one more file', () => write('context/lib/b', '')],
    ['a file by another name', () => rename('context/lib/a.jar', 'context/lib/b.jar')],
    ['a file that may be run', () => chmodSync(join(folder, 'context/lib/a.jar'), 0o755)],
    ['an empty folder', () => mkdirSync(join(folder, 'context/empty'))],
    ['a link to elsewhere', () => relink('/etc/passwd')],
    ['another Dockerfile', () => write('Dockerfile', 'FROM scratch\nUSER 1')],
    ['what the Dockerfile leaves out', () => write('Dockerfile.dockerignore', 'lib')],
    ["buildx' policy beside it", () => write('Dockerfile.rego', 'package docker')],
  ])('is another for %s', async (_what, change) => {
    const before = await recipe();
    change();
    expect(await recipe()).not.toBe(before);
  });

  test.each([
    ['target', { target: 'runtime' }, {}],
    ['build argument', { buildArgs: { A: '2' } }, {}],
    ['name', { name: 'api-gateway' }, {}],
    ['platforms', {}, { platforms: ['linux/arm64'] }],
    ['time', {}, { epoch: 1 }],
  ])('is another for another %s', async (_what, image, inputs) => {
    expect(await recipe(image, inputs)).not.toBe(await recipe());
  });

  test('follows a Dockerfile that is a link, as the build does', async () => {
    symlinkSync('Dockerfile', join(folder, 'linked'));
    const linked = { file: join(folder, 'linked') };
    const before = await recipe(linked);
    write('Dockerfile', 'FROM scratch\nUSER 1');
    expect(await recipe(linked)).not.toBe(before);
  });

  test.each([
    ['a context that is elsewhere', { context: 'https://github.com/compta/auth.git' }, {}],
    ['a Dockerfile that is not there', { file: '/nowhere/Dockerfile' }, {}],
    ['a policy of sources', {}, { EXPERIMENTAL_BUILDKIT_SOURCE_POLICY: 'policy.json' }],
  ])('is not known of %s', async (_what, image, env) => {
    expect(await recipe(image, {}, env)).toBeUndefined();
  });

  const rename = (from: string, to: string) => {
    rmSync(join(folder, from));
    write(to, 'a');
  };
  const relink = (target: string) => {
    rmSync(join(folder, 'context/lib/link'));
    symlinkSync(target, join(folder, 'context/lib/link'));
  };
});

describe('the base images of a build', () => {
  const buildType = 'https://mobyproject.org/buildkit@v1';
  const told = (...uris: string[]) => ({
    buildType,
    materials: uris.map((uri) => ({ uri, digest: { sha256: HEX } })),
  });
  const git = { uri: 'git+https://a.test/x.git', digest: { sha1: 'a'.repeat(40) } };
  const basesOf = (metadata: object) => basesIn(JSON.stringify(metadata));

  test.each([
    ['pkg:docker/eclipse-temurin@21-jre?platform=linux%2Famd64', 'eclipse-temurin:21-jre'],
    ['pkg:docker/r.test:5000/base/java@stable', 'r.test:5000/base/java:stable'],
    [`pkg:docker/base/java?digest=sha256:${HEX}`, `base/java@sha256:${HEX}`],
    [`pkg:docker/base/java@21?digest=sha256:${HEX}`, `base/java@sha256:${HEX}`],
  ])('%s is %s', (uri, reference) => {
    expect(basesOf({ 'buildx.build.provenance': told(uri) })).toEqual([
      { reference, digest: `sha256:${HEX}` },
    ]);
  });

  test('are those of each platform', () => {
    const metadata = {
      'buildx.build.provenance/linux/amd64': told('pkg:docker/a@1'),
      'buildx.build.provenance/linux/arm64': told('pkg:docker/b@1'),
    };
    expect(basesOf(metadata)?.map(({ reference }) => reference)).toEqual(['a:1', 'b:1']);
  });

  test('are none of an image that begins with nothing', () => {
    expect(basesOf({ 'buildx.build.provenance': { buildType } })).toEqual([]);
  });

  test.each([
    ['a file from the web', { 'buildx.build.provenance': told('https://a.test/x.tgz') }],
    ['a repository', { 'buildx.build.provenance': { buildType, materials: [git] } }],
    ['the form of another version', { 'buildx.build.provenance': { buildType: '' } }],
    ['nothing that is told', { 'containerimage.digest': `sha256:${HEX}` }],
  ])('are not known with %s', (_what, metadata) => {
    expect(basesOf(metadata)).toBeUndefined();
  });
});
