import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { runAction } from '../../lib/runner/test/start-action.ts';
import { outcomes, runK6, thresholds } from '../src/k6.ts';
import { type Application, startApplication } from './application.ts';

let application: Application;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'compta-k6-'));
  application = await startApplication('1.4.0');
});

afterAll(async () => {
  await application.close();
  rmSync(folder, { recursive: true });
});

describe('a real k6', () => {
  test('whose threshold holds passes with what was measured', async () => {
    const ended = await k6(
      'holds.js',
      script("thresholds: { http_req_failed: ['rate<0.01'], checks: ['rate>0.9'] }"),
    );
    expect(ended).toMatchObject({ exitCode: 0, errors: [], outputs: { passed: 'true' } });
    expect(ended.summary).toContain('2 checks passed');
    expect(ended.summary).toContain('holds: checks rate>0.9');
    expect(application.asked).toContain('/from-k6');
  });

  test('leaves nothing of what its setup() returned, which is a login as a rule', async () => {
    const setup = "export function setup() { return { token: 'swordfish-77' }; }";
    const ended = await k6('login.js', `${script("thresholds: { checks: ['rate>0.9'] }")}${setup}`);
    expect(ended).toMatchObject({ exitCode: 0, errors: [] });
    const kept = readFileSync(join(folder, 'k6-login.json'), 'utf8');
    expect(JSON.parse(kept)).toHaveProperty('metrics.http_reqs');
    expect(kept).not.toContain('swordfish');
  });

  test('whose threshold is crossed fails the step and says which', async () => {
    const ended = await k6(
      'crossed.js',
      script("thresholds: { http_reqs: ['count>1000'], http_req_failed: ['rate<0.01'] }"),
    );
    expect(ended).toMatchObject({ exitCode: 1, outputs: { passed: 'false' } });
    expect(ended.errors).toEqual([
      expect.stringMatching(/^k6: crossed: http_reqs count>1000: .*count 2$/),
    ]);
    expect(ended.summary).toContain('1 of 2 checks did not pass');
  });

  test('comes from the mirror that was named, and is held to its sum', async () => {
    const file = join(folder, 'mirrored.js');
    writeFileSync(file, script(''));
    const inputs = {
      'base-url': application.url,
      'tool-mirror': `${application.url}/tools`,
      k6: file,
    };
    const env = { RUNNER_TOOL_CACHE: join(folder, 'tools') };
    const ended = await runAction('action-smoke', { ...inputs, 'results-path': folder }, env);
    const path = '/tools/grafana/k6/releases/download/v2.1.0/k6-v2.1.0-linux-amd64.tar.gz';
    expect(application.asked).toContain(path);
    expect(ended).toMatchObject({ exitCode: 1, errors: [expect.stringContaining(path)] });
    expect(ended.stdout).not.toContain('from-k6');
  });

  test('whose script throws while it loads', async () => {
    const ended = await k6('broken.js', "throw new Error('no such journey');");
    expect(ended.exitCode).toBe(1);
    expect(ended.errors).toEqual(['k6: broken: the script threw an error']);
    expect(ended.stdout).toContain('no such journey');
  });
});

test.each([
  ['the older shape, where true means crossed', true, false],
  ['the newer shape', { ok: false }, { ok: true }],
])('%s', (_shape, crossed, held) => {
  const metrics = {
    http_req_duration: {
      avg: 12.3456,
      'p(95)': 310,
      thresholds: { 'p(95)<300': crossed, 'avg<100': held },
    },
    vus: { value: 1 },
  };
  expect(thresholds('load', JSON.stringify({ metrics }), 900)).toEqual([
    {
      probe: 'k6',
      name: 'load: http_req_duration p(95)<300',
      status: 'failed',
      milliseconds: 900,
      message: 'avg 12.35, p(95) 310',
    },
    expect.objectContaining({ name: 'load: http_req_duration avg<100', status: 'passed' }),
  ]);
});

test('a threshold that k6 calls crossed fails, whatever its summary looks like', () => {
  const held = { http_reqs: { count: 2, thresholds: { 'count>1': { ok: true } } } };
  for (const [exitCode, metrics, statuses] of [
    [99, held, ['passed', 'failed']],
    [99, {}, ['failed']],
    [0, held, ['passed']],
    [0, {}, ['passed']],
  ] as const) {
    const checks = outcomes('load', exitCode, JSON.stringify({ metrics }), 900);
    expect(checks.map(({ status }) => status)).toEqual(statuses);
  }
});

test('a k6 that was stopped for the time says so', async () => {
  const program = join(folder, 'slow-k6');
  writeFileSync(program, '#!/bin/sh\necho swordfish-77; trap "exit 105" INT; sleep 30', {
    mode: 0o755,
  });
  const [outcome] = await runK6('load.js', {
    ...{ k6: program, baseUrl: '', results: folder, timeoutMs: 1_000, env: process.env },
    ...{ cancelled: new AbortController().signal, onLine: () => {} },
  });
  expect(outcome).toMatchObject({
    status: 'failed',
    message: expect.stringMatching(/did not end within 1 s: look above for what it said\.$/),
  });
});

/** The newest that is a Go module; its second major version is none. */
const BUILT = '1.8.1';

function k6(name: string, text: string) {
  const file = join(folder, name);
  writeFileSync(file, text);
  const { RUNNER_TOOL_CACHE = '' } = process.env;
  return runAction(
    'action-smoke',
    { 'base-url': application.url, k6: file, 'k6-version': BUILT, 'results-path': folder },
    { RUNNER_TOOL_CACHE },
  );
}

/** Two requests by one user. */
function script(options: string): string {
  return `
    import http from 'k6/http';
    import { check } from 'k6';
    export const options = { vus: 1, iterations: 2, ${options} };
    export default () => {
      const answer = http.get(__ENV.BASE_URL + '/from-k6');
      check(answer, { 'is fine': ({ status }) => status === 200 });
    };`;
}
