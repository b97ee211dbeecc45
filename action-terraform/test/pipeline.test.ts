import { readFileSync, statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { run } from '../../lib/process/run.ts';
import { formsOf } from '../../lib/runner/secrets.ts';
import { type Result, startWorld, type World } from './world.ts';

/** The bundle, real Terraform and real providers against Hetzner's API, an S3 and GitHub's artifacts. */
let world: World;
beforeAll(async () => {
  world = await startWorld();
}, 180_000);
afterAll(() => world?.stop());

describe('from nothing to an environment', () => {
  let planned: Result;

  it('refuses to apply while there is no plan', async () => {
    const result = await world.step('apply');
    expect(result.exitCode).toBe(1);
    expect(result.outputs['failure-reason']).toBe('plan-missing');
    expect(result.stdout).toMatch(/::error::This run has no artifact 'terraform-plan-staging-/);
  }, 180_000);

  it('plans, with the price, and leaves the plan sealed', async () => {
    planned = await world.step('plan');
    expect(planned.stdout).not.toContain('::error');
    expect(planned.outputs).toMatchObject({ changes: 'true', add: '22', destroy: '0' });
    expect(planned.summary).toMatch(/^### ✅ .*22 to add, 0 to change, 0 to destroy/);
    expect(planned.summary).toMatch(/Monthly cost: 0\.00 EUR → \d+\.\d\d EUR/);
    const sealed = readFileSync(planned.outputs['plan-path'] ?? '');
    expect(sealed.subarray(0, 14).toString()).toBe('compta-plan-v1');
  }, 180_000);

  it('has the same digest for the same changes', async () => {
    const again = await world.step('plan', {}, { run: 2 });
    expect(again.outputs['plan-digest']).toBe(planned.outputs['plan-digest']);
  }, 180_000);

  it.each([
    ['another commit', {}, { GITHUB_SHA: 'f'.repeat(40) }, /- sha: /],
    ['another repository', {}, { GITHUB_REPOSITORY: 'other/deploy' }, /- repository: /],
    ['other variables', {}, { TF_VAR_location: 'hel1' }, /- variables: /],
    ['another workflow', {}, { GITHUB_WORKFLOW: 'other' }, /- workflow: /],
  ])(
    'refuses that plan for %s',
    async (_what, inputs, env, message) => {
      const result = await world.step('apply', inputs, { env });
      expect(result.outputs['failure-reason']).toBe('plan-refused');
      expect(result.stdout.replaceAll('%0A', '\n')).toMatch(message);
    },
    180_000,
  );

  it('refuses it under another key', async () => {
    const result = await world.step('apply', { 'plan-key': `${'x'.repeat(40)}` });
    // Variables and variable files are bound by digests under the key, so these differ first.
    expect(result.outputs['failure-reason']).toBe('plan-refused');
  }, 180_000);

  it('does not find the plan of another run', async () => {
    const result = await world.step('apply', {}, { run: 99 });
    expect(result.outputs['failure-reason']).toBe('plan-missing');
  }, 180_000);

  it('applies it in another job of the run and hands the outputs on', async () => {
    const applied = await world.step('apply');
    expect(applied.stdout).not.toContain('::error');
    expect(applied.summary).toMatch(/^### ✅ .* applied in .*: 22 to add/);
    const file = applied.outputs['outputs-file'] ?? '';
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const outputs = JSON.parse(readFileSync(file, 'utf8'));
    expect(outputs.bastion.value).toBe('staging-bastion-1');
    expect(outputs.ssh.value).toEqual({ user: 'deploy', port: 2222 });
    expect(outputs.servers.value['staging-db-1']).toEqual({
      role: 'database',
      private_ip: '10.0.1.11',
      public_ip: expect.stringMatching(/^203\.0\.113\./),
      host_key: expect.stringMatching(/^ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI[A-Za-z0-9+/]{43}$/),
      volume_device: expect.stringMatching(/^\/dev\/disk\/by-id\/scsi-0HC_Volume_\d+$/),
    });
  }, 120_000);

  it('leaves an inventory that Ansible itself reads, with host keys', async () => {
    const { outputs } = await world.step('output');
    const known = readFileSync(outputs['known-hosts-file'] ?? '', 'utf8');
    expect(known).toMatch(/^\[203\.0\.113\.\d+\]:2222 ssh-ed25519 \S+$/m);
    expect(known).toMatch(/^\[10\.0\.1\.11\]:2222 ssh-ed25519 \S+$/m);
    const argv = ['ansible-inventory', '--inventory', outputs['inventory-file'] ?? '', '--list'];
    const { _meta, database } = JSON.parse((await run(argv)).stdout);
    expect(database.hosts).toEqual(['staging-db-1']);
    const { ansible_host, ansible_ssh_common_args } = _meta.hostvars['staging-db-1'];
    expect(ansible_host).toBe('10.0.1.11');
    expect(ansible_ssh_common_args).toMatch(
      /StrictHostKeyChecking=yes -o ProxyCommand="ssh .* -W %h:%p deploy@203\.0\.113\.\d+"$/,
    );
    const bastion = _meta.hostvars['staging-bastion-1'].ansible_ssh_common_args;
    expect(bastion).not.toContain('ProxyCommand');
  }, 180_000);

  it('refuses to apply the same plan twice: the state has moved', async () => {
    const result = await world.step('apply');
    expect(result.outputs['failure-reason']).toBe('plan-stale');
    const said = result.stdout.replaceAll('%0A', '\n');
    expect(said).toMatch(/- stateSerial: planned '0', now '\d+': the state has been written since/);
    expect(said).toMatch(/A new plan would differ at:\n- .*hcloud_/);
  }, 180_000);

  it('takes a host key that was renewed into the outputs', async () => {
    const { servers } = (await world.hetzner('/servers?name=staging-db-1')) as {
      servers: { id: number; labels: Record<string, string> }[];
    };
    const key = `${'Az09-_'.repeat(7)}K`;
    const labels = { ...servers[0]?.labels, 'host-key': `k${key}k`, 'host-key-next': `k${key}k` };
    await world.hetzner(`/servers/${servers[0]?.id}`, { method: 'PUT', body: { labels } });
    const { outputs, stdout, summary } = await world.step('refresh');
    expect(stdout).not.toContain('::error');
    expect(summary).toMatch(/the state follows .*module\.server\["staging-db-1"\]/);
    expect(readFileSync(outputs['known-hosts-file'] ?? '', 'utf8')).toContain(
      `[10.0.1.11]:2222 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${'Az09+/'.repeat(7)}K\n`,
    );
  }, 180_000);

  it('then finds nothing to change, and no drift', async () => {
    const again = await world.step('plan', {}, { run: 3 });
    expect(again.outputs).toMatchObject({ changes: 'false', add: '0', change: '0' });
    expect(again.summary).toMatch(/^### ➖ .* no changes/);
    expect((await world.step('drift')).summary).toMatch(/has not drifted/);
  }, 180_000);
});

describe('what could hurt', () => {
  it('is allowed by name, and refused otherwise, with any plan that the run had before', async () => {
    const smaller = { TF_VAR_servers: serversWithout('staging-app-2') };
    const allowed = await world.step(
      'plan',
      { 'allow-destroy': 'module.server["staging-app-2"].*' },
      { run: 4, env: smaller },
    );
    expect(allowed.stdout).not.toContain('::error');
    expect(allowed.summary).toMatch(/^### ⚠️ /);

    const refused = await world.step('plan', {}, { run: 4, env: smaller });
    expect(refused.exitCode).toBe(1);
    expect(refused.outputs).toMatchObject({ 'failure-reason': 'destroy-refused', destroy: '3' });
    expect(refused.summary).toMatch(/^### ❌ /);
    expect(refused.outputs['plan-path']).toBeUndefined();
    const applied = await world.step('apply', {}, { run: 4, env: smaller });
    expect(applied.outputs['failure-reason']).toBe('plan-missing');
  }, 180_000);

  it('cannot be a volume, not even by destroy', async () => {
    const result = await world.step('destroy', { 'allow-destroy': '*' });
    expect(result.exitCode).toBe(1);
    expect(result.stdout).toContain('prevent_destroy');
  }, 180_000);
});

describe('secrets', () => {
  it('are readable in nothing that a step writes, host keys included', async () => {
    const result = await world.step('plan', {}, { run: 5, env: { TF_VAR_location: 'hel1' } });
    const written = [
      unmasked(result.stdout),
      result.summary,
      JSON.stringify(result.outputs),
    ].join();
    for (const secret of world.secrets) {
      for (const form of formsOf(secret)) expect(written).not.toContain(form);
    }
    expect(written).not.toContain('OPENSSH PRIVATE KEY');
  }, 180_000);

  it('are gone from the disk after post', async () => {
    const { state } = await world.step('output');
    expect(statSync(state.work ?? '').mode & 0o777).toBe(0o700);
    const post = await world.step('output', {}, { entry: 'post', env: { STATE_work: state.work } });
    expect(post.exitCode).toBe(0);
    expect(() => statSync(state.work ?? '')).toThrow('ENOENT');
  }, 180_000);
});

describe('the code', () => {
  it('is formatted and valid as it is', async () => {
    expect((await world.step('fmt', { 'working-directory': 'terraform' })).exitCode).toBe(0);
    expect((await world.step('validate')).exitCode).toBe(0);
  }, 180_000);

  it('gets an annotation on the line that is wrong', async () => {
    const outputs = world.read('outputs.tf');
    world.write('outputs.tf', `${outputs}\noutput "bad" {\nvalue = var.nowhere\n}\n`);
    const fmt = await world.step('fmt');
    expect(fmt.outputs['failure-reason']).toBe('not-formatted');
    expect(fmt.stdout).toContain('file=terraform/environments/staging/outputs.tf');
    const validate = await world.step('validate');
    expect(validate.outputs['failure-reason']).toBe('not-valid');
    expect(validate.stdout).toMatch(/::error .*file=terraform\/environments\/staging\/outputs\.tf/);
    world.write('outputs.tf', outputs);
  }, 180_000);
});

describe('a token', () => {
  it('that Hetzner refuses ends the step with what to do', async () => {
    const result = await world.step('plan', { 'hcloud-token': 'x'.repeat(64) }, { run: 6 });
    expect(result.outputs['failure-reason']).toBe('api-refused');
    expect(result.stdout).toMatch(
      /::error::Hetzner refused the API token: check input 'hcloud-token'/,
    );
  }, 180_000);
});

/** The log as the runner shows it: without the lines that teach it what to hide. */
function unmasked(stdout: string): string {
  return stdout
    .split('\n')
    .filter((line) => !line.startsWith('::add-mask::'))
    .join('\n');
}

function serversWithout(name: string): string {
  const servers: Record<string, object> = {
    'staging-bastion-1': { role: 'bastion', server_type: 'cpx12', private_ip: '10.0.1.2' },
    'staging-db-1': { role: 'database', private_ip: '10.0.1.11', volume_gb: 10, backups: true },
    'staging-app-1': { role: 'application', private_ip: '10.0.1.21' },
    'staging-app-2': { role: 'application', private_ip: '10.0.1.22' },
  };
  delete servers[name];
  return JSON.stringify(servers);
}
