import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import type { Runner } from '../../runner/runner.ts';
import { keyPair } from '../../ssh/key-pair.ts';
import { circumstancesInputs, destinationInputs, wantedInputs } from '../inputs.ts';

const folder = mkdtempSync(join(tmpdir(), 'compta-inputs-'));
afterAll(() => rmSync(folder, { recursive: true }));

const runner = (values: Record<string, string>): Runner =>
  ({ input: (name: string) => values[name] ?? '', mask: () => {} }) as unknown as Runner;

const image = `registry/compta/auth-service@sha256:${'a'.repeat(64)}`;
const edge = `registry/compta/caddy@sha256:${'c'.repeat(64)}`;

describe('what is to be deployed', () => {
  const good = {
    environment: 'staging',
    version: '1.0.0',
    images: `auth-service: ${image}`,
    variables: `{ DATABASE_HOST: 10.0.1.11, SITE_ADDRESS: ":8000", CADDY_IMAGE: "${edge}" }`,
  };
  const wanted = (changes: Partial<typeof good & { secrets: string }> = {}) =>
    wantedInputs(runner({ ...good, ...changes }));

  test('is one service at least, or Caddy', () => {
    expect(wanted().images).toEqual({ 'auth-service': image });
    expect(wanted({ images: `compta/caddy: ${edge}` }).images).toEqual({});
  });

  test.each([
    ['images', '{}', /^Input 'images' names no service: give the `images` output of action-build/],
    ['images', `billing: ${image}`, /^Input 'images' names billing, which .* it has auth-service,/],
    ['secrets', 'billing: { key: abc }', /^Input 'secrets' names billing, which the Compose file/],
    ['variables', 'SITE_ADDRESS: x', /^Input 'variables' lacks CADDY_IMAGE, DATABASE_HOST, which/],
  ])('is refused for its %s %s, before any server is asked', (name, value, message) => {
    expect(() => wanted({ [name]: value })).toThrow(message);
  });

  test('takes variables and secrets as they are written, not as numbers', () => {
    const numbers = 'VERSION: 1.10, CODE: 007, ON: True, LONG: 12345678901234567890, NAME: "x"';
    const { variables, secrets } = wanted({
      variables: good.variables.replace('{', `{ ${numbers},`),
      secrets: 'auth-service: { pin: 0042, token: 1e5 }',
    });
    expect(variables).toMatchObject({
      VERSION: '1.10',
      CODE: '007',
      ON: 'True',
      LONG: '12345678901234567890',
      NAME: 'x',
    });
    expect(secrets).toEqual({ 'auth-service': { pin: '0042', token: '1e5' } });
    expect(() => wanted({ variables: good.variables.replace('{', '{ NOTHING: null,') })).toThrow(
      "Input 'variables' is not valid",
    );
  });

  test('needs a Compose file that can be read', () => {
    const path = join(folder, 'compose.yml.j2');
    writeFileSync(path, 'services: {{ nobody.knows }}');
    expect(() => wantedInputs(runner({ ...good, 'compose-file': path }))).toThrow(
      `Input 'compose-file' is '${path}', which cannot be used.`,
    );
  });
});

describe('where it goes to', () => {
  const key = keyPair();
  const common = { 'private-key': key.private, 'known-hosts': `[10.0.1.2]:2222 ${key.public}` };
  const to = (values: Record<string, string>) =>
    destinationInputs(runner({ ...common, ...values }));

  test('is told by names and addresses', () => {
    const { hosts, ssh } = to({ hosts: 'app-1 = 10.0.1.2\nfd00::7', user: 'ops', port: '22' });
    expect(hosts).toEqual([
      { name: 'app-1', address: '10.0.1.2' },
      { name: 'fd00::7', address: 'fd00::7' },
    ]);
    expect(ssh).toMatchObject({ user: 'ops', port: 22 });
  });

  test.each(['10.0.1.2,10.0.1.3', 'app-1=', '=10.0.1.2', 'app-1=10.0.1.2=x', 'app 1=10.0.1.2'])(
    'is not “%s”',
    (hosts) => {
      expect(() => to({ hosts })).toThrow(
        `Input 'hosts' has '${hosts}': give name=address or address, one a line.`,
      );
    },
  );

  test('is not what Terraform put out for another environment', () => {
    const path = join(folder, 'outputs.json');
    writeFileSync(path, JSON.stringify(outputsOf('production', key.public)));
    const given = { 'terraform-outputs': path };
    expect(to(given).hosts).toEqual([{ name: 'app-1', address: '10.0.1.2' }]);
    expect(to({ ...given, environment: 'production' }).hosts).toHaveLength(1);
    expect(() => to({ ...given, environment: 'staging' })).toThrow(
      `Input 'terraform-outputs' is '${path}', which is of production; \`environment\` is staging.`,
    );
  });
});

test('limits are taken as they are given', () => {
  const given = {
    batch: '4',
    'health-timeout': '90s',
    'drain-timeout': '2m',
    'edge-drain': '0',
    'lock-timeout': '1h',
    keep: '7',
    'base-url': 'https://compta.tn',
    registry: 'registry.example',
    username: 'robot',
    password: 'swordfish',
  };
  expect(circumstancesInputs(runner(given))).toEqual({
    batch: 4,
    healthTimeout: 90_000,
    drainTimeout: 120_000,
    edgeDrain: 0,
    lockTimeout: 3_600_000,
    keep: 7,
    baseUrl: 'https://compta.tn',
    login: { registry: 'registry.example', username: 'robot', password: 'swordfish' },
  });
});

/** What Terraform would put out for one application server. */
function outputsOf(environment: string, key: string) {
  const server = { host_key: key, volume_device: null };
  return {
    environment: { value: environment },
    servers: {
      value: {
        bastion: { ...server, role: 'bastion', private_ip: '10.0.1.1', public_ip: '192.0.2.1' },
        'app-1': { ...server, role: 'application', private_ip: '10.0.1.2', public_ip: null },
      },
    },
    bastion: { value: 'bastion' },
    load_balancer: { value: { public_ip: '192.0.2.2', private_ip: '10.0.1.3' } },
    network_cidr: { value: '10.0.0.0/16' },
    ssh: { value: { user: 'deploy', port: 2222 } },
  };
}
