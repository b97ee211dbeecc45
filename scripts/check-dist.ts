/**
 * Proves that the committed bundles are the sources' own and that they start:
 * a clean rebuild changes nothing, no module is missing, and every action started
 * without inputs ends with exit code 1 and exactly one annotation that names an input.
 * ncc builds broken bundles with exit code 0, which is why each of these is checked.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { run } from '../lib/process/run.ts';
import { bundledFolders } from './bundle.ts';

const root = resolve(import.meta.dirname, '..');

async function staleFiles(): Promise<string[]> {
  await run(['node', 'scripts/bundle.ts'], { cwd: root });
  const { stdout } = await run(['git', 'status', '--porcelain', '--', '*/dist'], { cwd: root });
  return stdout.split('\n').filter((line) => line !== '');
}

function problemsOf(action: string): string[] {
  const bundle = join(root, action, 'dist', 'main', 'index.js');
  if (!existsSync(bundle)) return [`${action}: no dist/main/index.js`];
  if (readFileSync(bundle, 'utf8').includes('webpackMissingModule')) {
    return [`${action}: the bundle misses a module`];
  }
  const temp = mkdtempSync(join(tmpdir(), 'compta-dist-'));
  const { status, stdout } = spawnSync(process.execPath, [bundle], {
    cwd: temp,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, RUNNER_TEMP: temp, HOME: temp },
  });
  rmSync(temp, { recursive: true, force: true });
  const errors = stdout.split('\n').filter((line) => line.startsWith('::error'));
  const named = errors.length === 1 && /Input '[a-z0-9-]+'/.test(errors[0] ?? '');
  return status === 1 && named
    ? []
    : [`${action}: started without inputs it ended with ${status} and said: ${stdout.trim()}`];
}

const stale = await staleFiles();
const broken = bundledFolders()
  .filter((folder) => folder.startsWith('action-'))
  .flatMap(problemsOf);
for (const line of stale) console.error(`not committed after a clean rebuild: ${line}`);
for (const line of broken) console.error(line);
if (stale.length + broken.length > 0) process.exit(1);
console.log('dist: rebuilt, unchanged, and every bundle starts');
