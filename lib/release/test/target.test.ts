import { describe, expect, test } from '@jest/globals';
import { renderCompose } from '../compose.ts';
import { sortImages } from '../images.ts';
import { releaseBefore, releasesToKeep } from '../store.ts';
import { buildRelease, type Wanted } from '../target.ts';

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

  test('of one service keeps what the others have, with their versions', () => {
    const current = buildRelease(wanted(), undefined).manifest;
    const images = { 'auth-service': reference('auth-service', 'b') };
    const { services } = buildRelease(wanted({ version: '2.0.0', images }), current).manifest;
    expect(services['auth-service']?.version).toBe('2.0.0');
    expect(services['api-gateway']).toEqual(current.services['api-gateway']);
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
      /asks for CADDY_IMAGE, SITE_ADDRESS/,
    ],
  ])('needs %s', (_what, changes, message) => {
    expect(() => buildRelease(wanted(changes), undefined)).toThrow(message);
  });
});

test("Caddy's image among the images is a variable", () => {
  const sorted = sortImages({ 'compta/api-gateway': 'g', 'compta/caddy': 'c' }, { A: '1' });
  expect(sorted).toEqual({
    images: { 'api-gateway': 'g' },
    variables: { A: '1', CADDY_IMAGE: 'c' },
  });
});

describe('history', () => {
  const entry = (action: 'deploy' | 'rollback', release: string, previous: string) => ({
    at: '',
    action,
    release,
    version: release,
    previous,
    by: 'me',
    run: '',
    seconds: 1,
  });
  const history = [
    entry('deploy', 'r1', ''),
    entry('deploy', 'r2', 'r1'),
    entry('deploy', 'r3', 'r2'),
    entry('rollback', 'r2', 'r3'),
  ];

  test('a second rollback goes one release further back', () => {
    expect(releaseBefore(history, 'r3')).toBe('r2');
    expect(releaseBefore(history, 'r2')).toBe('r1');
    expect(releaseBefore(history, 'r1')).toBeUndefined();
  });

  test('keeps the newest releases, and never fewer than two', () => {
    expect(releasesToKeep(history, 3)).toEqual(['r2', 'r3', 'r1']);
    expect(releasesToKeep(history, 1)).toEqual(['r2', 'r3']);
  });
});

test('the staging template gives every service two slots that are locked down', () => {
  expect(compose.order.at(-1)).toBe('api-gateway');
  for (const service of compose.order) {
    expect(compose.definitions[service]).toMatchObject({
      read_only: true,
      user: '10001:10001',
      cap_drop: ['ALL'],
      profiles: ['slots'],
    });
  }
});
