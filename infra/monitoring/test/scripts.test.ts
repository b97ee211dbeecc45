import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';

const root = resolve(import.meta.dirname, '../../..');
const folder = mkdtempSync(join(tmpdir(), 'compta-scripts-'));
const key = join(folder, 'key');
const vault = join(folder, 'infra/ansible/inventories/production/group_vars/all.vault.yml');
cpSync(join(root, 'infra/scripts'), join(folder, 'infra/scripts'), { recursive: true });
cpSync(join(root, 'infra/ansible/inventories'), join(folder, 'infra/ansible/inventories'), {
  recursive: true,
  filter: (path) => !/all\.vault/.test(path),
});
afterAll(() => rmSync(folder, { recursive: true }));

const generate = (...more: string[]) =>
  run('setup/generate-secrets.sh', 'production', key, ...more);

function run(script: string, ...argv: string[]) {
  return runWith({}, script, ...argv);
}

function runWith(env: Record<string, string>, script: string, ...argv: string[]) {
  const { status, stdout, stderr } = spawnSync(join(folder, 'infra/scripts', script), argv, {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  return { status, said: stdout + stderr };
}

/** Name → value of what is in the vault. */
function values(): Map<string, string> {
  const argv = ['view', `--vault-password-file=${key}`, vault];
  const { stdout } = spawnSync('ansible-vault', argv, { encoding: 'utf8' });
  return new Map(
    [...stdout.matchAll(/^(\w+): '(.*)'$/gm)].map(([, name = '', value = '']) => [name, value]),
  );
}

test('a new vault has every value that the inventory needs, strong and never shown', () => {
  writeFileSync(join(folder, 'webhook'), 'https://hooks.example/T/B/secret\n');
  const { status, said } = generate(`vault_slack_webhook_url=${join(folder, 'webhook')}`);
  expect(status).toBe(0);
  expect(statSync(key).mode & 0o777).toBe(0o600);
  const made = values();
  expect(made.get('vault_slack_webhook_url')).toBe('https://hooks.example/T/B/secret');
  for (const name of ['vault_auth_app_password', 'vault_jwt_secret', 'vault_redis_password']) {
    expect(made.get(name)).toMatch(/^[0-9a-f]{48}$/);
  }
  expect(new Set(made.values()).size).toBe(made.size);
  for (const value of made.values()) expect(said).not.toContain(value);
}, 120_000);

test('a second run changes nothing, a renewal only what it names', () => {
  const bytes = readFileSync(vault);
  expect(generate().said).toContain('has everything');
  expect(readFileSync(vault)).toEqual(bytes);

  const before = values();
  expect(generate('--renew', 'vault_auth_app_password').status).toBe(0);
  const after = values();
  expect(after.get('vault_auth_app_password')).not.toBe(before.get('vault_auth_app_password'));
  for (const [name, value] of before) {
    if (name !== 'vault_auth_app_password') expect(after.get(name)).toBe(value);
  }
}, 120_000);

test.each([
  ['an environment that there is not', ['moon', key], /no environment moon/],
  ['another key', ['production', join(folder, 'webhook')], /does not open/],
  ['no key for a vault that is there', ['production', join(folder, 'none')], /its key .* does not/],
  ['a value out of nowhere', ['production', key, 'vault_x=/nowhere'], /is not NAME=FILE/],
  ['a renewal of nothing', ['production', key, '--renew', 'vault_x'], /has no such value/],
])(
  '%s is refused, and the vault stays as it is',
  (_what, argv, message) => {
    const bytes = readFileSync(vault);
    const { status, said } = run('setup/generate-secrets.sh', ...argv);
    expect(status).toBe(1);
    expect(said).toMatch(message);
    expect(readFileSync(vault)).toEqual(bytes);
  },
  60_000,
);

test.each([
  'setup/generate-secrets.sh',
  'backup/backup-db.sh',
  'backup/restore-db.sh',
  'backup/verify-backup.sh',
  'maintenance/rotate-logs.sh',
  'maintenance/cleanup.sh',
  'monitoring/health-check.sh',
])('%s says how it is used, and refuses to be used otherwise', (script) => {
  expect(run(script, '--help')).toMatchObject({
    status: 0,
    said: expect.stringContaining('Usage:'),
  });
  expect(run(script).status).not.toBe(0);
});

test.each<[Record<string, string>, RegExp]>([
  [{}, /COMPTA_TERRAFORM_OUTPUTS: set it to the file/],
  [{ COMPTA_TERRAFORM_OUTPUTS: 'staging.json' }, /COMPTA_SSH_KEY: set it to/],
  [{ COMPTA_TERRAFORM_OUTPUTS: 'staging.json', COMPTA_SSH_KEY: 'key' }, /is not of production/],
])('a restore with %j is refused: it could take no lease', (given, message) => {
  writeFileSync(join(folder, 'staging.json'), '{"environment":{"value":"staging"}}');
  const outputs = given.COMPTA_TERRAFORM_OUTPUTS;
  const env = outputs ? { ...given, COMPTA_TERRAFORM_OUTPUTS: join(folder, outputs) } : given;
  const { status, said } = runWith(
    env,
    'backup/restore-db.sh',
    'production',
    'compta_auth',
    'latest',
  );
  expect(status).not.toBe(0);
  expect(said).toMatch(message);
});
