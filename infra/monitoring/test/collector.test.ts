import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse, stringify } from 'yaml';
import { type Program, start, until } from './processes.ts';

const configurations = resolve(import.meta.dirname, '../../docker/monitoring');
const folder = mkdtempSync(join(tmpdir(), 'compta-collector-'));
const received = join(folder, 'received.json');
const gateway = {
  GOMEMLIMIT: '160MiB',
  OTEL_MEMORY_MIB: '200',
  OTEL_LISTEN: '127.0.0.1',
  OTEL_BACKEND: '127.0.0.1:14317',
  OTEL_STORAGE: join(folder, 'gateway'),
  OTEL_TARGETS: join(folder, 'targets'),
  OTEL_SAMPLING_PERCENTAGE: '0',
};
const agent = {
  GOMEMLIMIT: '80MiB',
  OTEL_MEMORY_MIB: '100',
  OTEL_LISTEN: '127.0.0.2',
  OTEL_GATEWAY: '127.0.0.1:4317',
  OTEL_STORAGE: join(folder, 'agent'),
  OTEL_CONTAINERS: join(folder, 'containers'),
  OTEL_LOGS: join(folder, 'postgresql/*.log'),
  OTEL_HOST: 'app-1',
  OTEL_ENVIRONMENT: 'test',
};
let programs: Program[] = [];

/** What SigNoz would have: a collector that only writes what it gets into a file. */
const backend = {
  receivers: { otlp: { protocols: { grpc: { endpoint: '127.0.0.1:14317' } } } },
  exporters: { file: { path: received, flush_interval: '100ms' } },
  service: {
    telemetry: { metrics: { level: 'none' } },
    pipelines: Object.fromEntries(
      ['traces', 'metrics', 'logs'].map((signal) => [
        signal,
        { receivers: ['otlp'], exporters: ['file'] },
      ]),
    ),
  },
};

beforeAll(() => {
  mkdirSync(gateway.OTEL_TARGETS);
  for (const path of ['containers/0123456789abcdef', 'postgresql']) {
    mkdirSync(join(folder, path), { recursive: true });
  }
  writeFileSync(join(folder, 'backend.yml'), stringify(backend));
  // A day's waits are seconds here; what is done is the same.
  writeFileSync(
    join(folder, 'gateway.yml'),
    changed('otel-collector-config.yml', (config) => {
      config.processors.tail_sampling.decision_wait = '1s';
      config.connectors.span_metrics.metrics_flush_interval = '1s';
    }),
  );
  // Its ports on loopback are the gateway's on a server of its own; a container has no journal.
  writeFileSync(
    join(folder, 'agent.yml'),
    changed('otel-agent-config.yml', (config) => {
      config.extensions.health_check.endpoint = '127.0.0.2:13133';
      config.service.telemetry.metrics.readers[0].pull.exporter.prometheus.host = '127.0.0.2';
      config.service.pipelines.logs.receivers = ['otlp', 'file_log/containers', 'file_log/files'];
    }),
  );
});

afterAll(async () => {
  await Promise.all(programs.map((program) => program.stop()));
  rmSync(folder, { recursive: true });
});

test.each([
  ['otel-collector-config.yml', gateway],
  ['otel-agent-config.yml', agent],
])('%s is valid by the collector itself, without a word about what is deprecated', (file, env) => {
  const said = execFileSync('otelcol', ['validate', `--config=${join(configurations, file)}`], {
    env: { ...process.env, ...env },
    encoding: 'utf8',
  });
  expect(said).not.toMatch(/deprecated/i);
});

describe('telemetry', () => {
  beforeAll(async () => {
    programs = [run('backend.yml', {}), run('gateway.yml', gateway), run('agent.yml', agent)];
    await until('the gateway listens', 60, () => answers('http://127.0.0.1:13133/'));
    await until('the agent listens', 60, () => answers('http://127.0.0.2:13133/'));
  }, 130_000);

  test('errors and slow requests are kept, the rest by rate, and nothing secret is in them', async () => {
    await sendTraces([
      span({ name: 'ordinary' }),
      span({ name: 'slow', milliseconds: 1500 }),
      span({
        name: 'failed',
        failed: true,
        attributes: { 'http.request.header.authorization': 'Bearer s3cret' },
      }),
      span({ name: 'health check', failed: true, attributes: { 'url.path': '/actuator/health' } }),
    ]);
    await until('both arrive', 30, () => all('resourceSpans', ['"slow"', '"failed"']));
    expect(arrived('resourceSpans')).not.toContain('"ordinary"');
    expect(arrived('resourceSpans')).not.toContain('"health check"');
    expect(arrived('resourceSpans')).not.toContain('s3cret');
    // Where they came from was added on the way.
    expect(arrived('resourceSpans')).toMatch(/"host\.name".{1,40}app-1/);
  }, 180_000);

  test('rates and durations are of all requests, also of those that were not kept', async () => {
    const metrics = await until('the gateway has counted', 30, async () => {
      const metrics = await (await fetch('http://127.0.0.1:8889/metrics')).text();
      return metrics.includes('span_name="ordinary"') ? metrics : undefined;
    });
    expect(metrics).toMatch(
      /^traces_span_metrics_calls_total\{.*service_name="auth-service".*span_kind="SPAN_KIND_SERVER".*span_name="failed".*status_code="STATUS_CODE_ERROR".*\} 1/m,
    );
    expect(metrics).toMatch(
      /^traces_span_metrics_duration_seconds_bucket\{.*span_name="ordinary".*le="0\.1"/m,
    );
  }, 180_000);

  test('logs of containers and of PostgreSQL arrive, and answers at the edge are counted', async () => {
    const ecs = {
      'log.level': 'WARN',
      message: 'from a service',
      service: { name: 'auth-service' },
    };
    const caddy = (status: number) => ({
      level: 'info',
      logger: 'http.log.access.log0',
      msg: 'handled request',
      request: { uri: '/api', headers: { Cookie: ['REDACTED'] } },
      status,
      duration: 0.01,
    });
    for (const line of [ecs, caddy(200), caddy(200), caddy(502)]) docker(JSON.stringify(line));
    docker('plain words');
    appendFileSync(join(folder, 'postgresql/16.log'), 'LOG:  duration: 900 ms\n');
    await until('all arrive', 30, () =>
      all('resourceLogs', ['from a service', 'handled request', 'plain words', 'duration: 900 ms']),
    );
    const counted = async (): Promise<string[] | undefined> => {
      const metrics = await (await fetch('http://127.0.0.1:8889/metrics')).text();
      const lines = metrics.split('\n').filter((line) => line.startsWith('compta_edge_requests'));
      return lines.length >= 2 ? lines : undefined;
    };
    const lines = await until('the answers are counted', 30, counted);
    expect(lines.find((line) => line.includes('http_response_status_code="200"'))).toMatch(/ 2\b/);
    expect(lines.find((line) => line.includes('http_response_status_code="502"'))).toMatch(/ 1\b/);
    // Again, so that a sum is seen to be a sum.
    docker(JSON.stringify(caddy(502)));
    await until('the sum grows', 30, async () =>
      (await counted())?.some((line) => /status_code="502".* 2\b/.test(line)) ? true : undefined,
    );
  }, 120_000);

  test('what cannot be sent waits on disk, over a restart, and arrives', async () => {
    const [sink, first, sender] = programs as [Program, Program, Program];
    await sink.stop();
    await sendTraces([span({ name: 'while it was away', failed: true })]);
    await until('it is in the queue', 30, async () => {
      const metrics = await (await fetch('http://127.0.0.1:8888/metrics')).text();
      const sizes = [...metrics.matchAll(/^otelcol_exporter_queue_size\{.*\} (\d+)/gm)];
      return sizes.some(([, size]) => Number(size) > 0) ? true : undefined;
    });
    await first.stop();
    programs = [run('backend.yml', {}), run('gateway.yml', gateway), sender];
    await until('it arrives', 60, () => all('resourceSpans', ['while it was away']));
  }, 150_000);
});

// biome-ignore lint/suspicious/noExplicitAny: a configuration of somebody else's shape
function changed(file: string, change: (config: any) => void): string {
  const config: unknown = parse(readFileSync(join(configurations, file), 'utf8'));
  change(config);
  return stringify(config);
}

function run(file: string, env: Record<string, string>): Program {
  return start(['otelcol', `--config=${join(folder, file)}`], env);
}

async function answers(url: string): Promise<true | undefined> {
  try {
    return (await fetch(url)).ok || undefined;
  } catch {
    return undefined;
  }
}

/** What the backend got of a kind, as it wrote it. */
function arrived(kind: 'resourceSpans' | 'resourceLogs'): string {
  const lines = existsSync(received) ? readFileSync(received, 'utf8').split('\n') : [];
  return lines.filter((line) => line.startsWith(`{"${kind}"`)).join('\n');
}

function all(kind: 'resourceSpans' | 'resourceLogs', words: readonly string[]): true | undefined {
  const found = arrived(kind);
  return words.every((word) => found.includes(word)) || undefined;
}

function docker(log: string): void {
  const line = { log: `${log}\n`, stream: 'stdout', time: new Date().toISOString() };
  const file = join(folder, 'containers/0123456789abcdef/0123456789abcdef-json.log');
  appendFileSync(file, `${JSON.stringify(line)}\n`);
}

interface Request {
  name: string;
  milliseconds?: number;
  failed?: boolean;
  attributes?: Record<string, string>;
}

/** A request that a service answered, as OTLP's JSON; each is a trace of its own. */
function span({ name, milliseconds = 20, failed = false, attributes = {} }: Request): unknown {
  const hex = (digits: number) =>
    Array.from({ length: digits }, () => Math.floor(Math.random() * 16).toString(16)).join('');
  const end = Date.now();
  return {
    traceId: hex(32),
    spanId: hex(16),
    name,
    kind: 2,
    startTimeUnixNano: `${end - milliseconds}000000`,
    endTimeUnixNano: `${end}000000`,
    status: failed ? { code: 2 } : {},
    attributes: Object.entries(attributes).map(([key, value]) => ({
      key,
      value: { stringValue: value },
    })),
  };
}

async function sendTraces(spans: readonly unknown[]): Promise<void> {
  const name = { key: 'service.name', value: { stringValue: 'auth-service' } };
  const body = {
    resourceSpans: [{ resource: { attributes: [name] }, scopeSpans: [{ spans }] }],
  };
  const answer = await fetch('http://127.0.0.2:4318/v1/traces', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(answer.status).toBe(200);
}
