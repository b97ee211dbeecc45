/** The checks that need no server, two at a time: `node scripts/check.ts`. Every one is run, then the verdict. */
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CommandFailed, run } from '../lib/process/run.ts';
import { elapsed } from '../lib/report/markdown.ts';

const root = resolve(import.meta.dirname, '..');
const workflows = readdirSync(join(root, '.github/workflows')).map(
  (name) => `.github/workflows/${name}`,
);
const shellScripts = execFileSync(
  'git',
  ['ls-files', '*.sh', '.ci/run', 'tools/install', 'tools/run', 'tools/*/build'],
  { cwd: root, encoding: 'utf8' },
)
  .trim()
  .split('\n');

const CHECKS: Record<string, readonly string[]> = {
  'format and lint': ['npx', 'biome', 'ci', '.'],
  types: ['npx', 'tsc', '--noEmit'],
  'workflows (schema)': [
    'check-jsonschema',
    '--builtin-schema',
    'vendor.github-workflows',
    ...workflows,
  ],
  'actions (schema)': [
    ...['check-jsonschema', '--builtin-schema', 'vendor.github-actions'],
    ...readdirSync(root)
      .filter((name) => name.startsWith('action-'))
      .map((name) => `${name}/action.yml`),
  ],
  'action READMEs': ['node', 'scripts/readme.ts'],
  'terraform READMEs': ['node', 'infra/terraform/readme.ts'],
  'workflows (actionlint)': ['actionlint', ...workflows],
  'workflows (zizmor)': ['zizmor', '--offline', '--quiet', '.github/workflows'],
  'Dockerfiles (hadolint)': [
    ...['hadolint', 'infra/docker/applications/Dockerfile', 'infra/docker/caddy/Dockerfile'],
  ],
  'terraform format': ['terraform', 'fmt', '-check', '-recursive', 'infra/terraform'],
  'terraform (tflint)': [
    ...['tflint', '--recursive', '--chdir=infra/terraform'],
    `--config=${join(root, 'infra/terraform/.tflint.hcl')}`,
  ],
  // Its own checks, as it brings them along.
  'configuration (Trivy)': [
    ...['trivy', 'config', '--quiet', '--skip-check-update', '--skip-version-check'],
    ...['--exit-code=1', 'infra'],
  ],
  'table of ports': ['node', 'infra/ansible/ports.ts'],
  // It runs yamllint too. Its collections are the toolchain's: nothing is fetched.
  'roles and playbooks (ansible-lint)': [
    'env',
    '--chdir=infra/ansible',
    'ansible-lint',
    '--offline',
  ],
  'shell scripts (shellcheck)': ['shellcheck', '--external-sources', ...shellScripts],
};
/** Alone: it writes the bundles anew, which others look for. */
const BUNDLES = ['node', 'scripts/check-dist.ts'];

let failed = 0;
const waiting = Object.entries(CHECKS);

async function check(name: string, argv: readonly string[]): Promise<void> {
  const started = Date.now();
  try {
    await run(argv, { cwd: root });
    console.log(`✅ ${name} (${elapsed(Date.now() - started)})`);
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    failed += 1;
    console.log(`❌ ${name}\n${error.stdout}${error.stderr}`);
  }
}

async function work(): Promise<void> {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    await check(...next);
  }
}

// Most of them have one core.
await Promise.all([work(), work()]);
await check('bundles', BUNDLES);
if (failed > 0) {
  console.error(`${failed} of ${Object.keys(CHECKS).length + 1} checks failed.`);
  process.exitCode = 1;
}
