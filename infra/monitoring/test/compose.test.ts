import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { parse, stringify } from 'yaml';

const monitoring = resolve(import.meta.dirname, '../../docker/monitoring');
const folder = mkdtempSync(join(tmpdir(), 'compta-compose-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Composed {
  services: Record<
    string,
    {
      image: string;
      command?: string[];
      mem_limit?: string;
      ports?: { host_ip?: string; published: string }[];
    }
  >;
}

function config(files: readonly string[], env: Record<string, string>): Composed {
  const argv = ['--project-name=test', ...files.map((file) => `--file=${file}`)];
  const said = execFileSync('docker-compose', [...argv, 'config', '--format=json'], {
    env: { ...process.env, ...env },
    encoding: 'utf8',
  });
  return JSON.parse(said) as Composed;
}

test('over what Foundry pours: images by digest, loopback only, nothing fetched at a start', () => {
  const file = join(monitoring, 'docker-compose.signoz.yml');
  // Foundry cannot be had here: its services as it names them, with its ports and its download.
  const poured = join(folder, 'compose.yaml');
  // `!override` is Compose's own.
  const names = Object.keys(
    (parse(readFileSync(file, 'utf8'), { logLevel: 'error' }) as Composed).services,
  );
  const services = Object.fromEntries(
    names.map((name) => [name, { image: 'some:latest', command: ['sh', '-c', 'wget'] }]),
  );
  Object.assign(services['signoz-signoz'] ?? {}, { ports: ['8080:8080'] });
  Object.assign(services['signoz-ingester'] ?? {}, { ports: ['4317:4317', '4318:4318'] });
  writeFileSync(poured, stringify({ services }));

  const example = readFileSync(join(monitoring, '.env.signoz.example'), 'utf8');
  const variables = [...example.matchAll(/^(\w+)=(.*)$/gm)].map(
    ([, name = '', value = '']): [string, string] => [
      name,
      value.replace('sha256:…', `sha256:${'0'.repeat(64)}`).replace('…', 'secret'),
    ],
  );
  const composed = config([poured, file], Object.fromEntries(variables));
  for (const [name, service] of Object.entries(composed.services)) {
    expect({ name, image: service.image }).toEqual({
      name,
      image: expect.stringMatching(/@sha256:[0-9a-f]{64}$/),
    });
    for (const port of service.ports ?? []) expect(port.host_ip).toBe('127.0.0.1');
  }
  expect(composed.services['signoz-telemetrystore-clickhouse-user-scripts']?.command).not.toContain(
    'wget',
  );
  expect(composed.services['signoz-telemetrystore-clickhouse-0-0']?.mem_limit).toBe('1610612736');
}, 180_000);

test('the collector in a container is on loopback, and says what it lacks', () => {
  const file = join(monitoring, 'docker-compose.otel.yml');
  const env = { OTEL_COLLECTOR_IMAGE: 'otelcol', OTEL_BACKEND: '127.0.0.1:4317' };
  for (const { host_ip } of config([file], env).services['otel-collector']?.ports ?? []) {
    expect(host_ip).toBe('127.0.0.1');
  }
  expect(() => config([file], { OTEL_COLLECTOR_IMAGE: 'otelcol' })).toThrow(/OTEL_BACKEND/);
}, 180_000);
