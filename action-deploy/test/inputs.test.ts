import { describe, expect, test } from '@jest/globals';
import { keyPair } from '../../lib/ssh/key-pair.ts';
import { start } from './release-step.ts';

const digest = `registry/compta/auth-service@sha256:${'a'.repeat(64)}`;
const good = {
  environment: 'staging',
  version: '1.0.0',
  images: `auth-service: ${digest}`,
  variables: `{ DATABASE_HOST: db, SITE_ADDRESS: ":80", CADDY_IMAGE: "${digest}" }`,
  hosts: 'app-1=127.0.0.1',
  'known-hosts': `[127.0.0.1]:1 ${keyPair().public}`,
  port: '1',
  'private-key': keyPair().private,
};

describe('a wrong input ends the step with one annotation that names it', () => {
  test.each([
    ['environment', 'prod', 'production, staging, dev'],
    ['version', '', 'is missing'],
    ['images', '{}', 'names no service'],
    ['images', `billing: ${digest}`, 'names billing, which the Compose file does not have'],
    ['variables', '{}', 'lacks CADDY_IMAGE, DATABASE_HOST, SITE_ADDRESS'],
    ['images', 'auth-service: registry/compta/auth-service:latest', 'repository@sha256'],
    ['private-key', '/home/me/id_ed25519', 'is not usable'],
    ['known-hosts', '', 'is missing'],
    ['hosts', '', 'terraform-outputs'],
    ['hosts', '127.0.0.1,127.0.0.2', 'one a line'],
    ['version', '1.0.0\n2.0.0', 'give letters, digits'],
    ['hosts', 'app-1=127.0.0.1\napp-2=127.0.0.1', "has '127.0.0.1' twice"],
    ['batch', '0', 'whole number'],
    ['batch', '1e1', 'whole number'],
    ['health-timeout', 'soon', 'give a duration'],
    ['health-timeout', '0', 'give more than 0'],
    ['lock-timeout', '999h', 'give at most 596h'],
    ['rollback-on-failure', 'no', 'give true or false'],
    ['base-url', 'compta.tn', 'give a URL'],
    ['base-url', 'compta.tn:443', 'give a URL'],
    ['caddyfile', 'infra/docker', 'is no file'],
    ['compose-file', '/nowhere.yml', 'does not exist'],
  ])('%s', async (name, value, message) => {
    const end = await start('action-deploy', { ...good, [name]: value }).ended;
    expect(end.exitCode).toBe(1);
    expect(end.stdout.match(/::error/g)).toHaveLength(1);
    expect(end.stdout).toContain(message);
  });

  test('a server that nobody answers at', async () => {
    const end = await start('action-deploy', good).ended;
    expect(end.stdout.match(/::error/g)).toHaveLength(1);
    expect(end.stdout).toContain('Cannot reach app-1');
    expect(end.outputs).toEqual({ status: 'failed', version: '1.0.0' });
    expect(end.summary).toContain('staging: deploy of 1.0.0 was refused; nothing was swapped');
  });
});

describe('a rollback', () => {
  test.each([
    ['reason', '', 'say why'],
    ['confirm', 'production', "repeat the environment, 'staging'"],
  ])('needs %s', async (name, value, message) => {
    const inputs = { ...good, reason: 'wrong totals', confirm: 'staging', [name]: value };
    const end = await start('action-rollback', inputs).ended;
    expect(end.exitCode).toBe(1);
    expect(end.stdout.match(/::error/g)).toHaveLength(1);
    expect(end.stdout).toContain(message);
  });
});
