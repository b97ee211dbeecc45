/**
 * Runs the checks and every test suite, and holds each suite to its time:
 * `node scripts/test.ts [suite …]`.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { elapsed } from '../lib/report/markdown.ts';

const root = resolve(import.meta.dirname, '..');

/** Seconds that a suite may take on two cores: a suite that grows beyond has to be looked at. */
const SUITES: Record<string, { paths: string[]; seconds: number }> = {
  lib: { paths: ['lib/', 'demo/', 'bench/'], seconds: 240 },
  tools: { paths: ['tools/'], seconds: 120 },
  workflows: { paths: ['scripts/'], seconds: 60 },
  'local-cloud': { paths: ['local-cloud/'], seconds: 600 },
  actions: {
    paths: ['action-(terraform|ansible|build|db-migrate|smoke|notify)/'],
    seconds: 1800,
  },
  terraform: { paths: ['infra/terraform/'], seconds: 420 },
  docker: { paths: ['infra/docker/'], seconds: 240 },
  // Three bare servers, one site.yml and four more.
  roles: { paths: ['infra/ansible/test/site.test'], seconds: 720 },
  backup: { paths: ['infra/ansible/roles/backup/'], seconds: 420 },
  monitoring: { paths: ['infra/monitoring/'], seconds: 150 },
  release: { paths: ['action-(deploy|rollback)/', 'cli/'], seconds: 1500 },
};

interface JestReport {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  success: boolean;
}

function jest(paths: readonly string[]): JestReport {
  const outputFile = join(tmpdir(), `compta-jest-${process.pid}.json`);
  const options = ['--runInBand', '--json', `--outputFile=${outputFile}`];
  spawnSync('npx', ['jest', ...options, ...paths], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, NODE_OPTIONS: '--experimental-vm-modules --no-warnings' },
  });
  const report = JSON.parse(readFileSync(outputFile, 'utf8')) as JestReport;
  rmSync(outputFile);
  return report;
}

const wanted = process.argv.slice(2);
const rows: string[] = [];
let [passed, failed] = [0, 0];
if (wanted.length === 0) {
  const check = spawnSync('node', ['scripts/check.ts'], { cwd: root, stdio: 'inherit' });
  if (check.status !== 0) failed += 1;
}
for (const [name, { paths, seconds }] of Object.entries(SUITES)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const started = Date.now();
  const report = jest(paths);
  const took = Date.now() - started;
  const late = took > seconds * 1000;
  passed += report.numPassedTests;
  failed += report.numFailedTests + (late ? 1 : 0) + (report.success ? 0 : 1);
  const verdict = !report.success ? '❌' : late ? '⌛' : '✅';
  rows.push(
    `${verdict} ${name.padEnd(12)} ${elapsed(took).padStart(13)} of ${elapsed(seconds * 1000)}`,
  );
}
console.log(`\n${rows.join('\n')}\n`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
