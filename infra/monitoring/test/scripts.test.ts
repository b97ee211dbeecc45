import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { parse } from 'yaml';

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
  return new Map(Object.entries(parse(stdout) as Record<string, string>));
}

/** @returns the path of a new file */
function file(content: string): string {
  const path = join(mkdtempSync(join(folder, 'file-')), 'value.txt');
  writeFileSync(path, content);
  return path;
}

const given = (name: string, value: string): string => `${name}=${file(value)}`;

const WEBHOOK = 'vault_slack_webhook_url';
const HOOK = 'https://hooks.example/T/B/secret\n';

test('a new vault has every value that the inventory needs, strong and never shown', () => {
  // As a shell has it in which playbooks are run by hand.
  const env = { ANSIBLE_VAULT_PASSWORD_FILE: file('another key') };
  const script = 'setup/generate-secrets.sh';
  const { status, said } = runWith(env, script, 'production', key, given(WEBHOOK, HOOK));
  expect(status).toBe(0);
  expect(statSync(key).mode & 0o777).toBe(0o600);
  const made = values();
  expect(made.get(WEBHOOK)).toBe(HOOK.trim());
  for (const name of ['vault_auth_app_password', 'vault_jwt_secret', 'vault_redis_password']) {
    expect(made.get(name)).toMatch(/^[0-9a-f]{48}$/);
  }
  expect(new Set(made.values()).size).toBe(made.size);
  for (const value of made.values()) expect(said).not.toContain(value);
}, 120_000);

test('a second run changes nothing, a renewal only what it names', () => {
  const bytes = readFileSync(vault);
  expect(generate(given(WEBHOOK, HOOK)).said).toContain('has everything');
  expect(readFileSync(vault)).toEqual(bytes);

  const before = values();
  const renewals = ['vault_auth_app_password', given(WEBHOOK, 'https://hooks.example/T/B/next')];
  const more = given('vault_smtp_password', `it's "one" # of: {them}\n`);
  expect(generate(more, ...renewals.flatMap((name) => ['--renew', name])).status).toBe(0);
  const after = values();
  expect(after.get('vault_auth_app_password')).not.toBe(before.get('vault_auth_app_password'));
  expect(after.get(WEBHOOK)).toBe('https://hooks.example/T/B/next');
  expect(after.get('vault_smtp_password')).toBe(`it's "one" # of: {them}`);
  for (const [name, value] of before) {
    if (!renewals.some((renewed) => renewed.startsWith(name))) expect(after.get(name)).toBe(value);
  }
}, 120_000);

test.each([
  ['an environment that there is not', ['moon', key], /no environment moon/],
  ['another key', ['production', file('another key')], /does not open/],
  ['no key for a vault that is there', ['production', join(folder, 'none')], /its key .* does not/],
  ['a value out of nowhere', ['production', key, 'vault_x=/nowhere'], /is not NAME=FILE/],
  ['a value of two lines', ['production', key, given('vault_x', 'a\nb')], /hold one line/],
  [
    'a second value',
    ['production', key, given(WEBHOOK, 'other')],
    /--renew vault_slack\S+ replaces/,
  ],
  ['a renewal of nothing', ['production', key, '--renew', 'vault_x'], /has no such value/],
  [
    'a pattern for a name',
    ['production', key, '--renew', 'vault_.*_password'],
    /has no such value/,
  ],
  ['a webhook out of nowhere', ['production', key, '--renew', WEBHOOK], /give --renew \w+=FILE/],
])(
  '%s is refused, and the vault stays as it is',
  (_what, argv, message) => {
    const bytes = readFileSync(vault);
    const { status, said } = run('setup/generate-secrets.sh', ...argv);
    expect(status).toBe(1);
    expect(said).toMatch(message);
    expect(readFileSync(vault)).toEqual(bytes);
  },
  180_000,
);

test('what nobody can make up is asked for before anything is made', () => {
  const inventory = join(folder, 'infra/ansible/inventories/dev/group_vars');
  for (const name of ['access', 'secret']) {
    appendFileSync(join(inventory, 'all.yml'), `${name}: "{{ vault_backup_${name}_key }}"\n`);
  }
  const { status, said } = run('setup/generate-secrets.sh', 'dev', join(folder, 'dev-key'));
  expect(status).toBe(1);
  expect(said).toContain('vault_backup_access_key=FILE vault_backup_secret_key=FILE');
  expect(existsSync(join(folder, 'dev-key'))).toBe(false);
  expect(existsSync(join(inventory, 'all.vault.yml'))).toBe(false);
});

test.each(
  readdirSync(join(root, 'infra/scripts'), { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.sh'),
  ),
)('%s says how it is used, and refuses to be used otherwise', (script) => {
  expect(run(script, '--help')).toMatchObject({
    status: 0,
    said: expect.stringContaining('Usage:'),
  });
  expect(run(script).status).not.toBe(0);
});

test.each([
  'deploy/deploy-production.sh',
  'deploy/deploy-staging.sh',
  'deploy/rollback.sh',
  'monitoring/health-check.sh',
])('%s asks for the outputs when an option comes first', (script) => {
  const { status, said } = run(script, '--private-key', key);
  expect(status).toBe(2);
  expect(said).toBe(
    '--private-key cannot be read: give the file of terraform output -json first\n',
  );
});

test('health-check.sh asks for the address that it was announced', () => {
  const outputs = join(folder, 'outputs.json');
  writeFileSync(outputs, '{}');
  const { status, said } = run('monitoring/health-check.sh', outputs, '--base-url');
  expect(status).toBe(2);
  expect(said).toBe('give a URL after --base-url\n');
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
