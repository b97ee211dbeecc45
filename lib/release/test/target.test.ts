import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { run } from '../../process/run.ts';
import { envFile, parseEnvFile, renderCompose } from '../compose.ts';
import { sortImages, variablesSchema } from '../images.ts';
import { buildRelease, type Wanted, withComponents } from '../target.ts';

const staging = new URL(
  '../../../infra/docker/compose/staging/docker-compose.yml.j2',
  import.meta.url,
).pathname;
const compose = renderCompose(staging, {});
const reference = (service: string, letter: string): string =>
  `registry.example/compta/${service}@sha256:${letter.repeat(64)}`;
const all = (letter: string): Record<string, string> =>
  Object.fromEntries(compose.order.map((service) => [service, reference(service, letter)]));
const wanted = (changes: Partial<Wanted> = {}): Wanted => ({
  environment: 'staging',
  version: '1.0.0',
  images: all('a'),
  compose,
  caddyfile: ':80',
  variables: { DATABASE_HOST: '10.0.1.11', SITE_ADDRESS: ':8000', CADDY_IMAGE: 'caddy:2' },
  secrets: {},
  ...changes,
});

describe('a release', () => {
  test('has the same id for the same content, another for another', () => {
    const first = buildRelease(wanted(), undefined).manifest;
    expect(buildRelease(wanted(), undefined).manifest.release).toBe(first.release);
    expect(first.release).toMatch(/^1\.0\.0-[0-9a-f]{8}$/);
    const other = buildRelease(wanted({ images: all('b') }), undefined).manifest;
    expect(other.release).not.toBe(first.release);
  });

  test.each([
    ['2.0.0+build.7', /^2\.0\.0-build\.7-[0-9a-f]{8}$/],
    ['.+', /^r-[0-9a-f]{8}$/],
    ['9'.repeat(5_000), /^9{100}-[0-9a-f]{8}$/],
  ])('has an id that is a name for a folder, whatever its version: %#', (version, id) => {
    expect(buildRelease(wanted({ version }), undefined).manifest.release).toMatch(id);
  });

  test('of one service keeps what the others have, with their versions', () => {
    const current = buildRelease(wanted(), undefined).manifest;
    const images = { 'auth-service': reference('auth-service', 'b') };
    const { services } = buildRelease(wanted({ version: '2.0.0', images }), current).manifest;
    expect(services['auth-service']?.version).toBe('2.0.0');
    expect(services['api-gateway']).toEqual(current.services['api-gateway']);
  });

  test('ends a service that its Compose file does not have, if it brings all the others', () => {
    const { manifest } = buildRelease(wanted(), undefined);
    const billing = { image: reference('billing', 'a'), version: '1.0.0', config: 'c' };
    const current = { ...manifest, services: { ...manifest.services, billing } };
    const one = { 'auth-service': reference('auth-service', 'b') };
    expect(() => buildRelease(wanted({ images: one }), current)).toThrow(
      /staging runs billing, which the Compose file does not have: take a newer one/,
    );
    const next = buildRelease(wanted({ images: all('b') }), current).manifest;
    expect(Object.keys(next.services)).toEqual(compose.order);
  });

  test('that changes a variable changes the configuration of those who use it, not the version', () => {
    const current = buildRelease(wanted(), undefined).manifest;
    const variables = { ...wanted().variables, LOG_LEVEL: 'INFO' };
    const next = buildRelease(wanted({ version: '2.0.0', variables }), current).manifest;
    expect(next.services['auth-service']?.config).not.toBe(
      current.services['auth-service']?.config,
    );
    expect(next.services['auth-service']?.version).toBe('1.0.0');
    expect(next.edge).toEqual(current.edge);
  });

  test('changes Caddy only with its file, its image or its address', () => {
    const current = buildRelease(wanted(), undefined).manifest;
    const next = buildRelease(wanted({ caddyfile: ':81' }), current).manifest;
    expect(next.edge.config).not.toBe(current.edge.config);
    expect(next.edge.caddyfile).toBe(createHash('sha256').update(':81').digest('hex'));
    expect(next.services).toEqual(current.services);
  });

  test('hands Caddy the environment that Compose will give it, for the check beforehand', () => {
    const variables = { ...wanted().variables, SITE_CORS_ORIGIN: 'https://app.compta.tn' };
    const { edgeEnv } = buildRelease(wanted({ variables }), undefined).files;
    expect(edgeEnv.split('\n')).toEqual(
      expect.arrayContaining([
        'SITE_SCHEME=http',
        'SITE_ADDRESS=:8000',
        'SITE_CORS_ORIGIN=https://app.compta.tn',
        'SITE_ACME_DIRECTORY=https://acme-v02.api.letsencrypt.org/directory',
        'XDG_DATA_HOME=/var/lib/caddy',
      ]),
    );
  });

  test.each([
    ['an image for every service the first time', { images: {} }, /has never been released/],
    ['no service that is not there', { images: { ...all('a'), billing: 'x' } }, /names billing/],
    [
      'every variable',
      { variables: { DATABASE_HOST: 'db' } },
      /^variables lacks CADDY_IMAGE, SITE_ADDRESS, which/,
    ],
  ])('needs %s', (_what, changes, message) => {
    expect(() => buildRelease(wanted(changes), undefined)).toThrow(message);
  });
});

test('servers that run one environment are not given the release of another', () => {
  const current = { ...buildRelease(wanted(), undefined).manifest, environment: 'production' };
  expect(() => buildRelease(wanted(), current)).toThrow(
    /^These servers run 1\.0\.0-\w+ of production, not staging: check `environment`/,
  );
});

test("a value of Caddy's has one line", () => {
  const variables = { ...wanted().variables, SITE_ADDRESS: 'a.compta.tn,\nb.compta.tn' };
  const lines = "variables gives Caddy's SITE_ADDRESS more than one line.";
  expect(() => buildRelease(wanted({ variables }), undefined)).toThrow(lines);
});

test("Caddy's image among the images is a variable", () => {
  const sorted = sortImages({ 'compta/api-gateway': 'g', 'compta/caddy': 'c' }, { A: '1' });
  expect(sorted).toEqual({
    images: { 'api-gateway': 'g' },
    variables: { A: '1', CADDY_IMAGE: 'c' },
  });
});

test("Caddy's image is given by digest, as those of services are", () => {
  const given = (image: string) => variablesSchema.safeParse({ CADDY_IMAGE: image });
  expect(given(reference('caddy', 'c')).success).toBe(true);
  for (const tagged of ['caddy:2.11.4', 'registry.example/compta/caddy', 'caddy:2@sha256:abc']) {
    expect(given(tagged).error?.issues).toEqual([
      expect.objectContaining({
        path: ['CADDY_IMAGE'],
        message: 'not of the form repository@sha256:<64 hex digits>',
      }),
    ]);
  }
});

describe('a .env file', () => {
  const variables = {
    QUOTE: "it's",
    PLAIN: 'a=b # c',
    EMPTY: '',
    BACKSLASH: 'C:\\',
    BOTH: "a\\'b \\n",
    ALL: 'x"$HOME`$QUOTE\\',
    LINES: "one\ntwo='2'\nTHREE='3'",
  };

  test('is read back as it was written', () => {
    expect(parseEnvFile(envFile(variables))).toEqual(variables);
  });

  test('means the same to Compose', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'compta-env-'));
    const [env, compose] = [join(folder, '.env'), join(folder, 'compose.yml')];
    writeFileSync(env, envFile(variables));
    const names = Object.keys(variables);
    const environment = Object.fromEntries(names.map((name) => [name, `\${${name}}`]));
    const file = { name: 'env', services: { one: { image: 'i', environment } } };
    writeFileSync(compose, JSON.stringify(file));
    const files = ['--env-file', env, '-f', compose];
    const { stdout } = await run(['docker-compose', ...files, 'config', '--format', 'json']);
    rmSync(folder, { recursive: true });
    const read = JSON.parse(stdout).services.one.environment as Record<string, string>;
    // What it prints could be a Compose file again: a dollar is two.
    const seen = Object.entries(read).map(([name, value]) => [name, value.replaceAll('$$', '$')]);
    expect(Object.fromEntries(seen)).toEqual(variables);
  });
});

describe('secrets', () => {
  const secrets = { 'auth-service': { 'mail.password': 'one' } };
  const before = buildRelease(wanted(), undefined).manifest;
  const first = buildRelease(wanted({ secrets }), before).manifest;

  test('swap the service that they are for, and no other', () => {
    expect(first.services['auth-service']?.config).not.toBe(
      before.services['auth-service']?.config,
    );
    expect(first.services['api-gateway']).toEqual(before.services['api-gateway']);
  });

  test('do not swap it again when they are the same, or not given', () => {
    expect(buildRelease(wanted({ secrets }), first).manifest.services).toEqual(first.services);
    expect(buildRelease(wanted(), first).manifest.services).toEqual(first.services);
  });

  test('are not to be found in the release', () => {
    const secret = { 'auth-service': { 'mail.password': 'correct-horse' } };
    expect(JSON.stringify(buildRelease(wanted({ secrets: secret }), before))).not.toContain(
      'horse',
    );
  });

  test('of a service that is not there are refused', () => {
    expect(() => buildRelease(wanted({ secrets: { billing: { a: 'b' } } }), before)).toThrow(
      /secrets names billing/,
    );
  });
});

test('a rollback of one service is the current release with its earlier image', () => {
  const images = { 'auth-service': reference('auth-service', 'b') };
  const first = buildRelease(wanted(), undefined);
  const second = buildRelease(wanted({ version: '2.0.0', images }), first.manifest);
  const earlier = first.manifest.services['auth-service'];
  const { manifest, files } = withComponents(second, { 'auth-service': earlier as never });
  expect(manifest.services).toEqual(first.manifest.services);
  expect(manifest.version).toBe('1.0.0');
  expect(parseEnvFile(files.env)).toEqual({
    ...parseEnvFile(first.files.env),
    COMPTA_RELEASE: manifest.release,
  });
});

test('the staging template gives every service two slots that are locked down', () => {
  expect(compose.order.at(-1)).toBe('api-gateway');
  expect(new Set(Object.values(compose.memory))).toEqual(new Set([384 * 1024 ** 2]));
  for (const service of compose.order) {
    expect(compose.definitions[service]).toMatchObject({
      read_only: true,
      user: '10001:10001',
      cap_drop: ['ALL'],
      profiles: ['slots'],
    });
  }
});
