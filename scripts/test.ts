/**
 * Runs the checks and every test suite, and holds each suite to its time:
 * `node scripts/test.ts [suite …]`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { elapsed } from '../lib/report/markdown.ts';

const root = resolve(import.meta.dirname, '..');

interface Suite {
  name: string;
  paths: string[];
  /**
   * What it may take on two cores, beside the other lane: one that grows beyond has to be looked at. Machines
   * of that size differ by two thirds; this leaves room for the slower ones.
   */
  seconds: number;
}

/**
 * The lanes run side by side, as the suites wait more than they compute: for servers that boot, for
 * services that drain. Three of them would keep two cores busy all the time, and hardly be done sooner.
 */
const LANES: Suite[][] = [
  [
    { name: 'actions', paths: ['action-(terraform|ansible|build|smoke|notify)/'], seconds: 1080 },
    { name: 'migration', paths: ['action-db-migrate/'], seconds: 1800 },
    { name: 'backup', paths: ['infra/ansible/(roles|playbooks)/'], seconds: 720 },
    { name: 'monitoring', paths: ['infra/monitoring/'], seconds: 120 },
    // Three bare servers, one site.yml and four more.
    { name: 'roles', paths: ['infra/ansible/test/site.test'], seconds: 900 },
  ],
  [
    { name: 'release', paths: ['action-(deploy|rollback)/', 'cli/'], seconds: 2700 },
    { name: 'docker', paths: ['infra/docker/'], seconds: 240 },
    { name: 'lib', paths: ['lib/', 'demo/', 'bench/'], seconds: 240 },
    { name: 'local-cloud', paths: ['local-cloud/'], seconds: 180 },
    { name: 'terraform', paths: ['infra/terraform/'], seconds: 240 },
    { name: 'tools', paths: ['tools/'], seconds: 60 },
    { name: 'workflows', paths: ['scripts/'], seconds: 60 },
  ],
];

/** How many of the longest tests are named at the end. */
const LONGEST = 12;

/** What Jest's `--json` says, as far as it is read here. */
interface Report {
  success: boolean;
  numPassedTests: number;
  numFailedTests: number;
  testResults: { assertionResults: { fullName: string; duration: number | null }[] }[];
}

/** Of a suite that ended before it could say anything. */
const nothing: Report = { success: false, numPassedTests: 0, numFailedTests: 0, testResults: [] };

interface Ended extends Suite {
  tests: { title: string; milliseconds: number }[];
  passed: number;
  failed: number;
  milliseconds: number;
}

const logs = mkdtempSync(join(tmpdir(), 'compta-tests-'));

/** @param live whether its output goes straight to the terminal; otherwise it is shown at the end. */
async function runSuite(suite: Suite, live: boolean): Promise<Ended> {
  const { name, paths } = suite;
  const [log, report] = [join(logs, `${name}.log`), join(logs, `${name}.json`)];
  const output = live ? 'inherit' : openSync(log, 'w');
  console.log(`▶ ${name}`);
  const started = Date.now();
  const options = ['--runInBand', '--json', `--outputFile=${report}`];
  const child = spawn(process.execPath, ['node_modules/jest/bin/jest.js', ...options, ...paths], {
    cwd: root,
    stdio: ['ignore', output, output],
    env: { ...process.env, NODE_OPTIONS: '--experimental-vm-modules --no-warnings' },
    // What a failed test leaves running can keep Jest from ending, and with it everything.
    timeout: 2 * suite.seconds * 1000,
    killSignal: 'SIGKILL',
  });
  const [code] = await once(child, 'exit');
  if (!live) process.stdout.write(readFileSync(log));
  const milliseconds = Date.now() - started;
  if (code === null)
    console.log(`${name} did not end in ${elapsed(milliseconds)}: it was stopped.`);
  const { success, numPassedTests, numFailedTests, testResults } = existsSync(report)
    ? (JSON.parse(readFileSync(report, 'utf8')) as Report)
    : nothing;
  // A file that does not even load is a failure without a failed test.
  const failed = success && code === 0 ? 0 : Math.max(1, numFailedTests);
  const tests = testResults
    .flatMap((file) => file.assertionResults)
    .map(({ fullName, duration }) => ({ title: fullName, milliseconds: duration ?? 0 }));
  return { ...suite, tests, passed: numPassedTests, failed, milliseconds };
}

async function runLane(suites: readonly Suite[], live: boolean): Promise<Ended[]> {
  const ended: Ended[] = [];
  for (const suite of suites) ended.push(await runSuite(suite, live));
  return ended;
}

async function check(): Promise<boolean> {
  const child = spawn('node', ['scripts/check.ts'], { cwd: root, stdio: 'inherit' });
  const [code] = await once(child, 'exit');
  return code === 0;
}

const wanted = process.argv.slice(2);
const names = LANES.flat().map(({ name }) => name);
const unknown = wanted.filter((name) => !names.includes(name));
if (unknown.length > 0) {
  console.error(`There is no suite ${unknown.join(', ')}: there are ${names.join(', ')}.`);
  process.exit(2);
}
const lanes = LANES.map((lane) =>
  lane.filter(({ name }) => wanted.length === 0 || wanted.includes(name)),
).filter((lane) => lane.length > 0);
let failures = wanted.length > 0 || (await check()) ? 0 : 1;
let passes = 0;
const ended = await Promise.all(lanes.map((lane) => runLane(lane, lanes.length === 1)));
rmSync(logs, { recursive: true });

console.log('');
for (const { name, passed, failed, milliseconds, seconds } of ended.flat()) {
  const late = milliseconds > seconds * 1000;
  passes += passed;
  failures += failed + (late ? 1 : 0);
  const verdict = failed > 0 ? '❌' : late ? '⌛' : '✅';
  const took = elapsed(milliseconds).padStart(13);
  console.log(`${verdict} ${name.padEnd(12)} ${took} of ${elapsed(seconds * 1000)}`);
}
console.log('\nThe longest tests:');
const tests = ended.flat().flatMap((suite) => suite.tests);
const longest = tests.sort((x, y) => y.milliseconds - x.milliseconds).slice(0, LONGEST);
for (const { title, milliseconds } of longest) {
  console.log(`  ${elapsed(milliseconds).padStart(13)}  ${title}`);
}
console.log(`\n${passes} passed, ${failures} failed`);
process.exitCode = failures > 0 ? 1 : 0;
