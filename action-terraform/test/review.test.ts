import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startCacheService } from '../../lib/runner/test/cache-service.ts';
import { startComments } from './github-comments.ts';
import { TINY, writeTiny } from './tiny.ts';
import { startWorld, type World } from './world.ts';

/** What a reviewer gets to see, and what a plan is refused for: the bundle with real Terraform. */
let world: World;
let github: Awaited<ReturnType<typeof startComments>>;
beforeAll(async () => {
  world = await startWorld();
  writeTiny(world.folder);
  github = await startComments();
}, 180_000);
const closing: (() => void)[] = [];
afterAll(async () => {
  for (const close of closing) close();
  github?.close();
  await world?.stop();
});

const tiny = { 'working-directory': TINY };
const variables = (values: object) => ({ variables: JSON.stringify(values) });

describe('a pull request', () => {
  const comment = { ...tiny, comment: 'summary', 'github-token': 'token-of-the-job' };
  const event = () => {
    const file = join(world.folder, 'event.json');
    writeFileSync(file, JSON.stringify({ pull_request: { number: 7 } }));
    return { GITHUB_EVENT_PATH: file, GITHUB_API_URL: github.url };
  };

  it('gets one comment for an environment, verdict first, brought up to date in place', async () => {
    const first = await world.step('plan', comment, { run: 1, env: event() });
    expect(first.stdout).not.toContain('::error');
    expect(github.comments).toHaveLength(1);
    expect(github.comments[0]?.body).toMatch(
      /^<!-- compta-terraform [0-9a-f]{32} -->\n### ✅ terraform\/tiny plan: 2 to add/,
    );

    await world.step(
      'plan',
      { ...comment, ...variables({ servers: ['one'] }) },
      { run: 2, env: event() },
    );
    expect(github.comments).toHaveLength(1);
    expect(github.comments[0]?.body).toMatch(/plan: 3 to add/);
    expect(github.requests.at(-1)).toBe('PATCH /repos/compta/deploy/issues/comments/1');
  }, 180_000);

  it('gets another one for another workspace, and for another root module', async () => {
    await world.step('plan', { ...comment, workspace: 'blue' }, { run: 3, env: event() });
    expect(github.comments).toHaveLength(2);
  }, 180_000);

  it('is told when the plan is refused', async () => {
    const open = variables({ open_to: '0.0.0.0/0' });
    const refused = await world.step('plan', { ...comment, ...open }, { run: 4, env: event() });
    expect(refused.outputs['failure-reason']).toBe('policy-refused');
    expect(github.comments).toHaveLength(2);
    expect(github.comments[0]?.body).toMatch(/\n### ❌ [\s\S]*private-port-open/);
  }, 180_000);

  it('that GitHub lets nobody comment on costs no plan that was made', async () => {
    github.trouble.status = 403;
    const planned = await world.step('plan', comment, { run: 9, env: event() });
    delete github.trouble.status;
    expect(planned.exitCode).toBe(0);
    expect(planned.stdout).toMatch(
      /::warning title=No comment::GitHub did not take the pull request's comment: .*summary of this job\. Input 'github-token' needs 'pull-requests: write'/,
    );
    expect(planned.summary).toMatch(/^### ✅ terraform\/tiny plan: 2 to add/);
    expect(planned.outputs).toMatchObject({ changes: 'true', add: '2' });
    expect(
      readFileSync(planned.outputs['plan-path'] ?? '')
        .subarray(0, 14)
        .toString(),
    ).toBe('compta-plan-v1');
  }, 180_000);

  it('is not commented on by a run that is of none', async () => {
    const before = github.requests.length;
    const result = await world.step('plan', comment, {
      run: 5,
      env: { GITHUB_API_URL: github.url },
    });
    expect(result.exitCode).toBe(0);
    expect(github.requests).toHaveLength(before);
  }, 180_000);

  it('needs a token, and says so before anything is done', async () => {
    const result = await world.step('plan', { ...tiny, comment: 'full' });
    expect(result.stdout).toMatch(/::error::Input 'github-token' is missing/);
  });
});

describe('a plan', () => {
  it('that is against the policy is refused, not sealed, and made when that is asked for', async () => {
    const open = { ...tiny, ...variables({ open_to: '0.0.0.0/0' }) };
    const refused = await world.step('plan', open, { run: 6 });
    expect(refused.exitCode).toBe(1);
    expect(refused.stdout.replaceAll('%0A', '\n')).toMatch(
      /- hcloud_firewall\.this: it opens 22 to the whole internet.*\(private-port-open\)/,
    );
    expect(refused.outputs['plan-path']).toBeUndefined();
    const made = await world.step('plan', { ...open, policy: 'false' }, { run: 6 });
    expect(made.outputs['plan-path']).toBeDefined();
  }, 180_000);

  it('of an old provider is refused before it runs', async () => {
    const lock = join(world.folder, TINY, '.terraform.lock.hcl');
    writeTiny(world.folder);
    writeFileSync(lock, readFileSync(lock, 'utf8').replace('"1.68.0"', '"1.57.0"'));
    const result = await world.step('plan', tiny, { run: 7 });
    writeTiny(world.folder);
    expect(result.outputs['failure-reason']).toBe('provider-refused');
    expect(result.stdout).toMatch(/::error::The lock file fixes hcloud 1\.57\.0/);
  }, 180_000);

  it('leaves the whole report in a file', async () => {
    const { outputs, summary } = await world.step('plan', tiny, { run: 8 });
    expect(readFileSync(outputs['report-file'] ?? '', 'utf8')).toBe(summary.trimEnd());
  }, 180_000);
});

describe("a job's providers", () => {
  it('come from the cache of an earlier job with the same lock file', async () => {
    const service = await startCacheService();
    closing.push(service.close);
    // The runner empties it between jobs; its path is a part of what GitHub finds a cache by.
    const temp = join(world.folder, 'temp-of-jobs');
    const job = async (run: number) => {
      rmSync(temp, { recursive: true, force: true });
      mkdirSync(temp);
      const env = { RUNNER_TEMP: temp, ACTIONS_CACHE_URL: service.url };
      const result = await world.step('plan', tiny, { run, env });
      expect(result.stdout).not.toContain('::error');
      return readdirSync(join(temp, 'compta-terraform-plugins'));
    };
    const first = await job(30);
    expect(first).not.toEqual([]);
    expect(service.entries).toMatchObject([{ committed: true }]);
    expect(service.entries[0]?.key).toMatch(/^compta-terraform-plugins-linux-x64-[0-9a-f]{64}$/);
    expect(await job(31)).toEqual(first);
    expect(service.entries).toHaveLength(1);
  }, 180_000);
});

describe('a drift', () => {
  const drifting = { ...tiny, workspace: 'drift' };

  it('is told by what was changed by hand, and mended by nobody but the next apply', async () => {
    await world.step('plan', drifting, { run: 20 });
    await world.step('apply', drifting, { run: 20 });
    const still = await world.step('drift', drifting, { run: 21 });
    expect(still.outputs.changes).toBe('false');
    expect(still.summary).toMatch(/^### ➖ terraform\/tiny has not drifted/);

    const { networks } = (await world.hetzner('/networks?name=tiny-drift')) as {
      networks: { id: number }[];
    };
    const labels = { environment: 'tiny-drift', 'managed-by': 'hand' };
    await world.hetzner(`/networks/${networks[0]?.id}`, { method: 'PUT', body: { labels } });
    const drifted = await world.step('drift', drifting, { run: 22 });
    expect(drifted.exitCode).toBe(0);
    expect(drifted.outputs).toMatchObject({ changes: 'true', change: '1', destroy: '0' });
    expect(drifted.summary).toMatch(/^### ⚠️ terraform\/tiny drifted: 0 to add, 1 to change/);
    expect(drifted.summary).toContain('hcloud_network.this');
    expect(drifted.stdout).toMatch(/::warning::terraform\/tiny has drifted/);
    expect(await world.hetzner('/networks?name=tiny-drift')).toMatchObject({
      networks: [{ labels }],
    });

    await world.step('destroy', { ...drifting, 'allow-destroy': '*' }, { run: 23 });
  }, 180_000);
});

describe('a sealed plan', () => {
  const path = () => join(world.folder, 'sealed');
  const sealed = () => ({ ...tiny, 'plan-path': path(), 'var-files': 'more.tfvars' });
  const vars = (text: string) => writeFileSync(join(world.folder, TINY, 'more.tfvars'), text);

  async function refusal(inputs: object = {}, env: NodeJS.ProcessEnv = {}, run = 10) {
    const result = await world.step('apply', { ...sealed(), ...inputs }, { run, env });
    expect(result.exitCode).toBe(1);
    expect(await world.hetzner('/networks')).toMatchObject({ networks: [] });
    return `${result.outputs['failure-reason']}: ${result.stdout.replaceAll('%0A', '\n')}`;
  }

  it('is refused, each time by the name of what is wrong, and nothing is applied', async () => {
    vars('protected = false\n');
    const planned = await world.step('plan', sealed(), { run: 10 });
    expect(planned.stdout).not.toContain('::error');

    expect(await refusal({}, { GITHUB_SHA: 'f'.repeat(40) })).toMatch(
      /plan-refused: [\s\S]*- sha: .*another commit/,
    );
    expect(await refusal({}, { GITHUB_REPOSITORY: 'fork/deploy' })).toMatch(/- repository: /);
    expect(await refusal({ workspace: 'blue' })).toMatch(/- workspace: /);
    expect(await refusal({}, {}, 11)).toMatch(/- runId: .*another run, which may be an older one/);
    vars('protected = true\n');
    expect(await refusal()).toMatch(/- varFiles: /);
    vars('protected = false\n');

    const whole = readFileSync(path());
    const flipped = Buffer.from(whole);
    flipped[whole.length - 40] = (flipped[whole.length - 40] ?? 0) ^ 1;
    writeFileSync(path(), flipped);
    expect(await refusal()).toMatch(/plan-refused: [\s\S]*The sealed plan was altered/);
    writeFileSync(path(), whole);

    const applied = await world.step('apply', sealed(), { run: 10 });
    expect(applied.stdout).not.toContain('::error');
    const again = await world.step('apply', sealed(), { run: 10 });
    expect(again.outputs['failure-reason']).toBe('plan-stale');
  }, 180_000);
});
