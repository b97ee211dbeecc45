import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { stringify } from 'yaml';
import { run } from '../../lib/process/run.ts';
import { dotenv } from '../../local-cloud/runner-files.ts';
import { KEY } from './fixtures.ts';
import { TINY, writeTiny } from './tiny.ts';
import { startWorld, type World } from './world.ts';

/** A repository with the action and a root module, on a runner that is this machine. */
let world: World;
beforeAll(async () => {
  world = await startWorld();
  writeTiny(world.folder);
  const action = resolve(import.meta.dirname, '..');
  for (const part of ['action.yml', 'dist']) {
    cpSync(join(action, part), join(world.folder, 'action-terraform', part), { recursive: true });
  }
  mkdirSync(join(world.folder, 'runner/act'), { recursive: true });
  symlinkSync(process.env.RUNNER_TOOL_CACHE ?? '', join(world.folder, 'runner/act/tool_cache'));
}, 180_000);
afterAll(() => world?.stop());

const CHECKOUT = 'actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8';

const job = (command: string, more: object = {}) => ({
  'runs-on': 'ubuntu-latest',
  ...more,
  steps: [
    { uses: CHECKOUT },
    {
      uses: './action-terraform',
      with: {
        command,
        'working-directory': TINY,
        'backend-config': 'bucket=compta-terraform',
        'plan-key': `\${{ secrets.PLAN_KEY }}`,
        'hcloud-token': `\${{ secrets.HCLOUD_TOKEN }}`,
        'state-access-key-id': `\${{ secrets.AWS_ACCESS_KEY_ID }}`,
        'state-secret-access-key': `\${{ secrets.AWS_SECRET_ACCESS_KEY }}`,
      },
    },
  ],
});

describe('a sealed plan', () => {
  it('travels from one job to the next as an artifact of the run, and is applied there', async () => {
    const file = (name: string, text: string) => {
      writeFileSync(join(world.folder, name), text);
      return name;
    };
    // What the runner copies into each job's workspace.
    file('.gitignore', '/*\n!/action-terraform\n!/terraform\n');
    const jobs = { plan: job('plan'), apply: job('apply', { needs: 'plan' }) };
    const secrets = { ...world.credentials, PLAN_KEY: KEY };
    const { HCLOUD_ENDPOINT, AWS_ENDPOINT_URL_S3, ACTIONS_RESULTS_URL, ACTIONS_RUNTIME_TOKEN } =
      world.environment(1);
    const runner = { HCLOUD_ENDPOINT, AWS_ENDPOINT_URL_S3, ACTIONS_RESULTS_URL };
    const environment = { ...runner, ACTIONS_RUNTIME_TOKEN, GITHUB_RUN_ID: '1' };

    const git = (...argv: string[]) => run(['git', '-C', world.folder, ...argv]);
    await git('init', '--quiet', '--initial-branch=main');
    await git('remote', 'add', 'origin', 'https://github.com/compta/deploy.git');
    const settings = ['user.name=ann', 'user.email=ann@compta.tn', 'commit.gpgsign=false'];
    const author = settings.flatMap((setting) => ['-c', setting]);
    await git(...author, 'commit', '--quiet', '--allow-empty', '--message=feat: a network');

    const { stdout } = await run(
      [
        ...['act', 'push', '--platform=ubuntu-latest=-self-hosted', '--no-cache-server'],
        `--workflows=${file('workflow.yml', stringify({ on: 'push', jobs }))}`,
        `--secret-file=${file('secrets', dotenv(secrets))}`,
        `--env-file=${file('env', dotenv(environment as Record<string, string>))}`,
      ],
      {
        cwd: world.folder,
        env: { ...process.env, XDG_CACHE_HOME: join(world.folder, 'runner') },
        timeoutMs: 100_000,
      },
    );
    expect(stdout.match(/Job succeeded/g)).toHaveLength(2);
    expect(await world.hetzner('/networks')).toMatchObject({
      networks: [{ name: 'tiny-default' }],
    });
    const kept = JSON.parse(readFileSync(join(world.folder, 'artifacts/artifacts.json'), 'utf8'));
    expect(kept).toMatchObject([
      { runId: '1', name: expect.stringMatching(/^terraform-plan-tiny-/) },
    ]);
  }, 120_000);
});
