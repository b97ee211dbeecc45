import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { run } from '../../../lib/process/run.ts';
import { renderCompose } from '../../../lib/release/compose.ts';
import { buildRelease, type Release } from '../../../lib/release/target.ts';

const docker = join(import.meta.dirname, '..');
const caddyfile = readFileSync(join(docker, 'Caddyfile'), 'utf8');

const REDIS_IMAGE = `registry.example/compta/redis@sha256:${'b'.repeat(64)}`;

/** What `docker compose config` says a container is. */
interface Container {
  [key: string]: unknown;
  image?: string;
  build?: { context: string; dockerfile: string };
  ports?: { target: number; published?: string; host_ip?: string }[];
  networks: Record<string, unknown>;
  healthcheck?: { test?: string[]; interval: string };
  environment?: Record<string, string>;
  mem_limit: string;
  cpus: number;
  logging: { driver: string; options: Record<string, string> };
}

/** A release with the values of the environment's example. */
function releaseOf(environment: string, without = ''): Release {
  const folder = join(docker, 'compose', environment);
  const example = readFileSync(join(folder, `.env.${environment}.example`), 'utf8');
  const { [without]: _left, ...variables } = parseEnv(example) as Record<string, string>;
  const compose = renderCompose(join(folder, 'docker-compose.yml.j2'), {});
  const image = `registry.example/compta/service@sha256:${'a'.repeat(64)}`;
  const images = Object.fromEntries(compose.order.map((service) => [service, image]));
  variables.REDIS_IMAGE ??= REDIS_IMAGE;
  const wanted = { environment, version: '1.2.3', images, compose, caddyfile, variables };
  return buildRelease({ ...wanted, secrets: {} }, undefined);
}

/** What Compose itself makes of a release's files. */
async function containersOf({ files }: Release): Promise<Record<string, Container>> {
  const folder = mkdtempSync(join(tmpdir(), 'compta-compose-'));
  try {
    writeFileSync(join(folder, 'compose.yml'), files.compose);
    writeFileSync(join(folder, '.env'), files.env);
    const profiles = ['--profile', 'slots', '--profile', 'single-host'];
    const config = ['docker-compose', ...profiles, 'config', '--format', 'json'];
    const { stdout, stderr } = await run(config, { cwd: folder });
    expect(stderr).toBe('');
    return (JSON.parse(stdout) as { services: Record<string, Container> }).services;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What Caddy says to the Caddyfile with a release's settings. */
async function caddy(command: 'validate' | 'adapt', { files }: Release): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'compta-caddy-'));
  try {
    const env = { ...parseEnv(files.edgeEnv), XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
    const file = ['--config', join(docker, 'Caddyfile'), '--adapter', 'caddyfile'];
    const { stdout } = await run(['caddy', command, ...file], { env: { ...process.env, ...env } });
    return stdout;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const services = ['auth-service', 'accounting-service', 'reporting-service', 'api-gateway'];
const slots = services.flatMap((service) => [`${service}-a`, `${service}-b`]);
const everyone: Record<string, Record<string, Container>> = {};
const of = (environment: string, name: string): Container =>
  everyone[environment]?.[name] as Container;

beforeAll(async () => {
  for (const environment of ['production', 'staging', 'dev']) {
    everyone[environment] = await containersOf(releaseOf(environment));
  }
}, 180_000);

describe.each(['production', 'staging', 'dev'])('Compose of %s', (environment) => {
  test('has the four services in two slots each, Caddy, and Redis for a single host', () => {
    const names = Object.keys(everyone[environment] ?? {});
    expect(names.sort()).toEqual([...slots, 'caddy', 'redis'].sort());
  });

  test.each([...slots, 'caddy', 'redis'])('%s is locked in', (name) => {
    const container = of(environment, name);
    expect(container).toMatchObject({
      user: '10001:10001',
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
      restart: 'unless-stopped',
      pids_limit: expect.any(Number),
      logging: {
        driver: 'json-file',
        options: { 'max-size': expect.stringMatching(/^\d+m$/), 'max-file': expect.any(String) },
      },
    });
    expect(Number(container.mem_limit)).toBeGreaterThan(0);
    expect(container.cpus).toBeGreaterThan(0);
    for (const danger of ['privileged', 'network_mode', 'pid', 'ipc', 'devices']) {
      expect(container).not.toHaveProperty(danger);
    }
    // What the program of Caddy's official image asks for, or does not start.
    expect(container.cap_add).toEqual(name === 'caddy' ? ['NET_BIND_SERVICE'] : undefined);
  });

  test.each([...slots, 'caddy', 'redis'])('%s has a health check', (name) => {
    // The question itself is Redis's here, all others' in their image.
    const own = name === 'redis' ? { test: expect.any(Array) } : {};
    const { healthcheck } = of(environment, name);
    expect(healthcheck).toMatchObject({ interval: expect.stringMatching(/^\d+s$/), ...own });
  });

  test('only Caddy is on the public network', () => {
    for (const name of [...slots, 'redis']) {
      expect(Object.keys(of(environment, name).networks)).toEqual(['backend']);
    }
    expect(Object.keys(of(environment, 'caddy').networks).sort()).toEqual(['backend', 'frontend']);
  });

  test('only Caddy publishes ports to others, 80 and 443', () => {
    const published = of(environment, 'caddy').ports?.map((port) => Number(port.published));
    expect(published).toEqual([80, 443]);
    const others = [...slots, 'redis'].flatMap((name) => of(environment, name).ports ?? []);
    expect(others.filter((port) => port.host_ip !== '127.0.0.1')).toEqual([]);
    // A number that Docker forgets to free would keep the slot from starting; see slots.yml.j2.
    expect(others.filter((port) => port.published)).toEqual([]);
  });

  test('is a Compose file for which Caddy takes the Caddyfile', () =>
    caddy('validate', releaseOf(environment)));
});

test('only who limits requests needs a Caddy that can', async () => {
  expect(await caddy('adapt', releaseOf('production', 'SITE_RATE_LIMIT'))).not.toContain(
    'rate_limit',
  );
  expect(await caddy('adapt', releaseOf('production'))).toContain('"max_events":300');
});

test('Redis as a container has the image that was given, or none that Docker takes', () => {
  expect(of('dev', 'redis').image).toBe(REDIS_IMAGE);
  const { text } = renderCompose(join(docker, 'compose/dev/docker-compose.yml.j2'), {});
  // The name of an image is in lower case.
  expect(text).toMatch(/image: \$\{REDIS_IMAGE:-REDIS_IMAGE-by-digest\}$/m);
});

test('each environment has the ports that a person needs there', () => {
  const open = (environment: string): number[] =>
    (of(environment, 'accounting-service-b').ports ?? []).map(({ target }) => target);
  expect(open('production')).toEqual([]);
  expect(open('staging')).toEqual([8080, 8081]);
  expect(open('dev')).toEqual([8080, 8081, 5005]);
});

test('production has the most room, dev the least', () => {
  const room = (environment: string): number =>
    Number(of(environment, 'api-gateway-a').mem_limit) / 2 ** 20;
  expect(['production', 'staging', 'dev'].map(room)).toEqual([1024, 384, 320]);
});

test('production logs warnings, the others more', () => {
  const levels = (environment: string) => of(environment, 'auth-service-a').environment;
  expect(levels('production')).toMatchObject({ LOGGING_LEVEL_ROOT: 'WARN' });
  expect(levels('staging')).toMatchObject({ LOGGING_LEVEL_TN_COMPTA: 'DEBUG' });
  expect(levels('dev')).toMatchObject({ LOGGING_LEVEL_TN_COMPTA: 'DEBUG' });
});

test.each(['SITE_ADDRESS', 'SITE_ACME_EMAIL', 'SITE_ACME_PEERS', 'SITE_PROXY_PROTOCOL_FROM'])(
  'production is not released without %s',
  (name) => {
    expect(() => releaseOf('production', name)).toThrow(
      `lacks ${name}, which the Compose file asks for`,
    );
  },
);

test('each service can be started alone by its developer, beside the others', async () => {
  const published: string[] = [];
  const asked: string[] = [];
  for (const service of services) {
    const cwd = join(docker, 'applications', service);
    const { stdout, stderr } = await run(['docker-compose', 'config', '--format', 'json'], { cwd });
    expect(stderr).toBe('');
    const containers = (JSON.parse(stdout) as { services: Record<string, Container> }).services;
    const { build, environment, networks } = containers[service] as Container;
    // Found there by its name, and by no name of what is its own alone.
    expect(Object.keys(networks)).toContain('compta-dev');
    for (const other of ['postgres', 'redis']) {
      expect(Object.keys(containers[other]?.networks ?? {})).not.toContain('compta-dev');
    }
    asked.push(...Object.values(environment ?? {}).filter((value) => value.startsWith('http:')));
    const source = join(docker, '../../examples/services', service);
    expect(build?.context).toBe(source);
    expect(join(source, build?.dockerfile ?? '')).toBe(join(docker, 'applications/Dockerfile'));

    // The database that is started with it is the one that its profile dev asks for.
    const { POSTGRES_DB, POSTGRES_USER, POSTGRES_PASSWORD } =
      containers.postgres?.environment ?? {};
    const settings = readFileSync(join(source, 'src/main/resources/application.yml'), 'utf8');
    expect(settings.includes('datasource:')).toBe('postgres' in containers);
    if ('postgres' in containers) {
      const url = `jdbc:postgresql://postgres:5432/${POSTGRES_DB}`;
      expect(environment?.SPRING_DATASOURCE_URL).toBe(url);
      expect(settings).toContain(
        `    username: ${POSTGRES_USER}\n    password: ${POSTGRES_PASSWORD}\n`,
      );
    }
    const ports = Object.values(containers).flatMap((container) => container.ports ?? []);
    for (const { host_ip } of ports) expect(host_ip).toBe('127.0.0.1');
    published.push(...ports.map((port) => String(port.published)));
  }
  expect(new Set(published).size).toBe(published.length);
  expect(asked.sort()).toEqual(
    ['accounting', 'accounting', 'auth', 'reporting'].map((name) => `http://${name}-service:8080`),
  );
}, 180_000);
