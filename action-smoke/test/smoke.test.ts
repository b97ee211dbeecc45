import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { runAction, startAction } from '../../lib/runner/test/start-action.ts';
import { awaitVersion } from '../src/http.ts';
import { type Application, startApplication } from './application.ts';

let application: Application;
let folder: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'compta-smoke-'));
  application = await startApplication('1.4.0');
});

afterEach(async () => {
  await application.close();
  rmSync(folder, { recursive: true });
});

const smoke = (inputs: Record<string, string>) =>
  runAction('action-smoke', { 'base-url': application.url, 'results-path': folder, ...inputs });

describe('HTTP checks', () => {
  test('all that hold are one verdict, in the summary and in both files', async () => {
    const ended = await smoke({
      'expected-version': '1.4.0',
      http: `- { path: /, contains: Bienvenue, name: front page }
- { path: /missing, status: 404 }
- { path: /old, status: 301 }
- { path: /entries, method: POST, body: '{}', status: 201 }`,
    });
    expect(ended).toMatchObject({
      exitCode: 0,
      errors: [],
      outputs: {
        passed: 'true',
        failed: '',
        'results-file': join(folder, 'results.json'),
        'junit-file': join(folder, 'junit.xml'),
      },
    });
    expect(ended.summary).toContain(`5 checks passed at ${application.url}`);
    expect(results()).toEqual({
      passed: true,
      checks: [
        expect.objectContaining({ probe: 'version', status: 'passed' }),
        expect.objectContaining({ probe: 'http', name: 'front page', message: '' }),
        expect.objectContaining({ name: 'GET /missing' }),
        expect.objectContaining({ name: 'GET /old' }),
        expect.objectContaining({ name: 'POST /entries' }),
      ],
    });
    expect(junit()).toContain('<testsuite name="smoke" tests="5" failures="0">');
  });

  test('each that does not hold is told with its reason, in one annotation', async () => {
    const ended = await smoke({
      http: `- { path: /, contains: 'Bon "retour" <ici>' }
- { path: /missing }
- { path: /slow, max-ms: 200 }
- { path: /fine }`,
    });
    expect(ended).toMatchObject({ exitCode: 1, outputs: { passed: 'false', failed: 'http' } });
    expect(ended.errors).toEqual([
      [
        `http: GET /: the answer does not contain 'Bon "retour" <ici>'`,
        'http: GET /missing: answered 404, not 200',
        'http: GET /slow: did not answer in time',
      ].join('\n'),
    ]);
    expect(ended.summary).toContain('3 of 4 checks did not pass');
    expect(junit()).toContain('tests="4" failures="3"');
    expect(junit()).toContain('Bon &quot;retour&quot; &lt;ici&gt;');
  });

  test('that hold are a verdict also where results cannot be uploaded', async () => {
    const ended = await smoke({ http: '- { path: / }', artifact: 'smoke-results' });
    expect(ended).toMatchObject({ exitCode: 0, errors: [], outputs: { passed: 'true' } });
    expect(ended.warnings).toEqual([expect.stringContaining('uploaded as smoke-results: ')]);
  });

  test('an address where nobody listens', async () => {
    await application.close();
    const ended = await smoke({ http: '- { path: / }' });
    expect(ended.exitCode).toBe(1);
    expect(ended.errors).toEqual([expect.stringContaining('ECONNREFUSED')]);
  });
});

describe('the expected version', () => {
  test('is waited for', async () => {
    const { ended } = startAction('action-smoke', {
      'base-url': application.url,
      'results-path': folder,
      'expected-version': '1.5.0',
    });
    while (application.asked.length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
    application.become('1.5.0');
    expect((await ended).exitCode).toBe(0);
    expect(application.asked.length).toBeGreaterThan(1);
  });

  test('that does not come fails after the timeout, and nothing of the old one is tested', async () => {
    const ended = await smoke({
      'expected-version': '1.5.0',
      timeout: '2s',
      http: '- { path: /page }',
    });
    expect(ended.exitCode).toBe(1);
    expect(ended.errors).toEqual(['version: /api/version says 1.5.0: answered 1.4.0']);
    expect(application.asked).not.toContain('/page');
    const [{ milliseconds }] = results().checks as [{ milliseconds: number }];
    expect(milliseconds).toBeGreaterThanOrEqual(2_000);
    expect(milliseconds).toBeLessThan(10_000);
  });

  test('is said as it was answered last, though the end cuts the next question short', async () => {
    const never = new AbortController().signal;
    const check = await awaitVersion(application.url, '/once', '1.5.0', 2_500, never);
    expect(application.asked).toEqual(['/once', '/once']);
    expect(check).toMatchObject({ status: 'failed', message: 'answered 1.4.0' });
  });

  test('is not waited for any longer at an address that never answers', async () => {
    const ended = await smoke({
      'expected-version': '1.5.0',
      'version-path': '/slow',
      timeout: '2s',
    });
    expect(ended.errors).toEqual(['version: /slow says 1.5.0: did not answer in time']);
    expect((results().checks as { milliseconds: number }[])[0]?.milliseconds).toBeLessThan(10_000);
  });
});

test('browser tests get the step’s environment alone, and write no trace', async () => {
  mkdirSync(join(folder, 'bin'));
  writeFileSync(join(folder, 'playwright.config.ts'), '');
  const report = { suites: [{ specs: [{ title: 'signs in', tests: [passing] }] }] };
  const npx = `#!/bin/sh
echo "$*" > asked
env > environment
echo '${JSON.stringify(report)}' > "$PLAYWRIGHT_JSON_OUTPUT_FILE"`;
  writeFileSync(join(folder, 'bin/npx'), npx, { mode: 0o755 });
  const ended = await runAction(
    'action-smoke',
    { 'base-url': application.url, 'results-path': folder, playwright: folder },
    {
      PATH: `${join(folder, 'bin')}:${process.env.PATH}`,
      SMOKE_USER: 'accountant',
      ACTIONS_RUNTIME_TOKEN: 'writes-artifacts',
    },
  );
  expect(ended).toMatchObject({ exitCode: 0, outputs: { passed: 'true' } });
  const asked = readFileSync(join(folder, 'asked'), 'utf8');
  expect(asked).toMatch(/^--no-install playwright test .*--trace=off$/m);
  const environment = readFileSync(join(folder, 'environment'), 'utf8');
  expect(environment).toContain('SMOKE_USER=accountant');
  expect(environment).not.toMatch(/^(INPUT|ACTIONS)_/m);
});
const passing = { status: 'expected', results: [{ duration: 1 }] };

test('of browser tests pictures are kept, and nothing of what they typed', async () => {
  mkdirSync(join(folder, 'bin'));
  writeFileSync(join(folder, 'playwright.config.ts'), '');
  const error = { message: 'locator.fill: Timeout 3000ms exceeded.\n  - fill("swordfish-77")' };
  const tests = [{ status: 'flaky', results: [{ duration: 1, error }, { duration: 1 }] }];
  const report = JSON.stringify({ suites: [{ specs: [{ title: 'signs in', tests }] }] });
  writeFileSync(join(folder, 'report.json'), report);
  const npx = `#!/bin/sh
mkdir -p "$6/signs-in"
echo '- textbox: swordfish-77' > "$6/signs-in/error-context.md"
echo picture > "$6/signs-in/test-failed-1.png"
cp report.json "$PLAYWRIGHT_JSON_OUTPUT_FILE"
echo '  - fill("swordfish-77")'
exit 1`;
  writeFileSync(join(folder, 'bin/npx'), npx, { mode: 0o755 });
  const kept = join(folder, 'results');
  const ended = await runAction(
    'action-smoke',
    { 'base-url': application.url, 'results-path': kept, playwright: folder },
    { PATH: `${join(folder, 'bin')}:${process.env.PATH}` },
  );
  expect(ended.errors).toEqual([
    [
      'playwright: signs in: locator.fill: Timeout 3000ms exceeded.',
      'playwright: outside of the tests: npx failed with exit code 1: look above for what it said.',
    ].join('\n'),
  ]);
  const files = readdirSync(kept, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name, parentPath }) => [name, readFileSync(join(parentPath, name), 'utf8')] as const);
  expect(files.map(([name]) => name).sort()).toEqual([
    'junit.xml',
    'results.json',
    'test-failed-1.png',
  ]);
  expect(files.filter(([, text]) => text.includes('swordfish'))).toEqual([]);
});

test.each([
  [
    'fails though each test passed',
    'echo no teardown; exit 1',
    /failed with exit code 1: look above for what it said\.$/,
  ],
  ['does not end', 'exec sleep 30', /did not end within 2 s/],
])('a Playwright that %s fails beside what else was seen', async (_what, last, said) => {
  mkdirSync(join(folder, 'bin'));
  writeFileSync(join(folder, 'playwright.config.ts'), '');
  const report = JSON.stringify({ suites: [{ specs: [{ title: 'signs in', tests: [passing] }] }] });
  const npx = `#!/bin/sh\necho '${report}' > "$PLAYWRIGHT_JSON_OUTPUT_FILE"\n${last}`;
  writeFileSync(join(folder, 'bin/npx'), npx, { mode: 0o755 });
  const ended = await runAction(
    'action-smoke',
    {
      ...{ 'base-url': application.url, 'results-path': folder, timeout: '2s' },
      ...{ http: '- { path: / }', playwright: folder },
    },
    { PATH: `${join(folder, 'bin')}:${process.env.PATH}` },
  );
  expect(ended).toMatchObject({ exitCode: 1, outputs: { passed: 'false' } });
  expect(ended.errors).toEqual([expect.stringMatching(said)]);
  expect(results().checks).toMatchObject([
    { probe: 'http', status: 'passed' },
    { name: 'signs in', status: 'passed' },
    { name: 'outside of the tests', status: 'failed' },
  ]);
});

test('a k6 that nobody can get is told before anything is tested', async () => {
  writeFileSync(join(folder, 'load.js'), '');
  const inputs = { http: '- { path: / }', k6: join(folder, 'load.js'), 'k6-version': '9.9.9' };
  const ended = await runAction(
    'action-smoke',
    { 'base-url': application.url, ...inputs },
    { RUNNER_TOOL_CACHE: folder },
  );
  expect(ended.errors).toEqual([expect.stringContaining('no SHA-256 is known')]);
  expect(application.asked).toEqual([]);
});

test('nothing to test is a failure, not a success', async () => {
  const ended = await smoke({});
  expect(ended).toMatchObject({ exitCode: 1, outputs: { passed: 'false' } });
  expect(ended.errors).toEqual([expect.stringContaining('Nothing was tested')]);
});

describe('a wrong input ends the step with one annotation that names it', () => {
  test.each([
    ['base-url', 'staging.compta.tn', "is 'staging.compta.tn'"],
    ['base-url', '', 'is missing'],
    ['http', '- { path: health }', 'is not valid'],
    ['http', '- { path: /, stauts: 200 }', 'stauts'],
    ['http', '- { path: [', 'is not YAML'],
    ['k6', '/nowhere.js', "names '/nowhere.js'"],
    ['playwright', '/', 'no playwright.config.ts'],
    ['browser', '/nowhere/chrome', 'does not exist'],
    ['fail-on-flaky', 'maybe', 'give true or false'],
    ['timeout', 'soon', 'give a duration'],
    ['timeout', '0', 'give more than 0'],
    ['version-path', 'api/version', 'give a path'],
    ['tool-mirror', 'mirror.test', 'give a URL'],
  ])('%s: %j', async (name, value, message) => {
    const ended = await smoke({ [name]: value });
    expect(ended.exitCode).toBe(1);
    expect(ended.errors).toEqual([expect.stringContaining(`Input '${name}'`)]);
    expect(ended.errors[0]).toContain(message);
    expect(application.asked).toEqual([]);
  });
});

function results(): { passed: boolean; checks: unknown[] } {
  return JSON.parse(readFileSync(join(folder, 'results.json'), 'utf8'));
}

function junit(): string {
  return readFileSync(join(folder, 'junit.xml'), 'utf8');
}
