import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inventoryOf } from '../../demo/cloud.ts';
import { openOffice } from '../../demo/office.ts';
import { copyOfTheCode } from '../../infra/terraform/test/terraform.ts';
import { parseTerraformOutputs, serversOf } from '../../lib/inventory/inventory.ts';
import { run } from '../../lib/process/run.ts';
import { parseManifest } from '../../lib/release/manifest.ts';
import { runAction, startAction } from '../../lib/runner/test/start-action.ts';
import { keyPair } from '../../lib/ssh/key-pair.ts';
import { checkout } from '../../local-cloud/claim.ts';
import { type Identity, loadIdentity } from '../../local-cloud/identity.ts';
import { gatewayAddress, type Instance } from '../../local-cloud/instance.ts';
import { hetznerUrl, parseDotenv, runnerFiles } from '../../local-cloud/runner-files.ts';
import { STATE_BUCKET, s3Address } from '../../local-cloud/services/s3.ts';
import { atConsole } from '../cloud.ts';
import { countsOf } from './releases.ts';
import { type Scenario, seconds } from './scenario.ts';

/** What an administrator of staging has at hand, in files that are gone afterwards. */
interface Desk {
  folder: string;
  identity: Identity;
  /** As action-ansible takes them. */
  inputs: Record<string, string>;
  /** Of every play: mirrors and sizes of this cloud. */
  variables: Record<string, unknown>;
  env: Record<string, string>;
  application: string[];
}

export const upkeep: Scenario = {
  shows: 'new passwords, keys and accounts, and reboots, under load, lose nothing',
  async run(instance, print) {
    const { url } = await inventoryOf(instance);
    assert.ok(url, 'there is a release to take care of');
    const folder = mkdtempSync(join(tmpdir(), 'compta-upkeep-'));
    try {
      const desk = await sitDown(instance, folder);
      const office = await openOffice(instance, url, folder);
      const begun = Date.now();
      const took: Record<string, number> = {};
      for (const [chore, work] of Object.entries(CHORES)) {
        print(`— ${chore} —`);
        const start = Date.now();
        await work(desk, instance);
        took[chore] = seconds(Date.now() - start);
        print(`  ${took[chore]} s`);
      }
      const traffic = await office.close({ start: begun, end: Date.now() }, 0);
      return { secondsByChore: took, ...countsOf(traffic) };
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
};

/** Each leaves the cloud as the pipeline knows it: what is changed is changed back the same way. */
const CHORES: Record<string, (desk: Desk, instance: Instance) => Promise<unknown>> = {
  'new passwords of the database': async (desk, instance) => {
    const release = await whatRuns(desk, instance);
    const tags = { tags: 'database' };
    await play(desk, 'rotate-secrets.yml', { ...release, ...newPasswords() }, tags);
    await play(desk, 'rotate-secrets.yml', release, tags);
  },
  'a new account at the registry': async (desk, instance) => {
    const account = { user: 'compta-next', password: randomBytes(16).toString('hex') };
    const { stdout } = await run(['htpasswd', '-inB', account.user], { input: account.password });
    appendFileSync(join(instance.stateDirectory, 'registry', 'htpasswd'), stdout);
    const next = {
      compta_registry_username: account.user,
      compta_registry_password: account.password,
    };
    await play(desk, 'rotate-secrets.yml', next, { tags: 'registry' });
    await play(desk, 'rotate-secrets.yml', {}, { tags: 'registry' });
  },
  'a new SSH key': async (desk) => {
    const next = keyPair('compta-next');
    const { sshPrivateKey, sshPublicKey } = desk.identity;
    const own = { private: sshPrivateKey, public: sshPublicKey };
    await changeKey(desk, own, next);
    await changeKey(desk, next, own);
  },
  'reboots of the application servers': async (desk, instance) => {
    for (const server of desk.application) {
      await atConsole(instance, server, ['touch', '/run/reboot-required']);
    }
    const before = await boots(instance, desk.application);
    await play(desk, 'maintenance.yml', {});
    const after = await boots(instance, desk.application);
    for (const [i, boot] of after.entries()) assert.notEqual(boot, before[i], 'it was rebooted');
  },
};

type Key = ReturnType<typeof keyPair>;

async function changeKey(desk: Desk, from: Key, to: Key): Promise<void> {
  const rotation = {
    rotation_ssh_old: from.public,
    rotation_ssh_new: to.public,
    rotation_ssh_private_key: file(desk, 'next-key', to.private),
    release_private_key: file(desk, 'key', from.private),
  };
  const inputs = { tags: 'ssh', 'private-key': from.private };
  await play(desk, 'rotate-secrets.yml', rotation, inputs);
  const { errors } = await attempt(desk, 'rotate-secrets.yml', rotation, inputs);
  assert.match(errors.join(), /authentication|Permission denied|refused the key/i);
}

function newPasswords(): Record<string, string> {
  const services = ['auth', 'accounting', 'reporting'];
  return Object.fromEntries(
    services.map((name) => [`vault_${name}_app_password`, randomBytes(24).toString('hex')]),
  );
}

async function boots(instance: Instance, servers: readonly string[]): Promise<string[]> {
  const asked = servers.map((name) =>
    atConsole(instance, name, ['systemctl', 'show', '--property=UserspaceTimestamp']),
  );
  return (await Promise.all(asked)).map(({ stdout }) => stdout.trim());
}

/** Version, images and variables of the release that the servers have. */
async function whatRuns(desk: Desk, instance: Instance): Promise<Record<string, string>> {
  const [server = ''] = desk.application;
  const path = '/opt/compta/current/manifest.json';
  const { stdout } = await atConsole(instance, server, ['cat', path]);
  const { version, services, edge } = parseManifest(stdout, `${server}:${path}`);
  const images = Object.entries(services).map(([name, { image }]) => [name, image]);
  const outputs = JSON.parse(readFileSync(String(desk.inputs['terraform-outputs']), 'utf8'));
  const [database] = serversOf(parseTerraformOutputs(outputs), 'database');
  const variables = {
    CADDY_IMAGE: edge.image,
    DATABASE_HOST: database?.privateIp,
    SITE_ADDRESS: ':8000',
  };
  return {
    release_version: version,
    release_images: file(desk, 'images.json', JSON.stringify(Object.fromEntries(images))),
    release_variables: file(desk, 'variables.yml', JSON.stringify(variables)),
  };
}

function file({ folder }: Desk, name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}

async function sitDown(instance: Instance, folder: string): Promise<Desk> {
  const identity = loadIdentity(instance);
  const files = runnerFiles(instance);
  const settings = (name: 'secrets' | 'variables') =>
    parseDotenv(readFileSync(files[name], 'utf8'));
  const outputs = await terraformOutputs(instance, identity);
  const outputsFile = join(folder, 'outputs.json');
  writeFileSync(outputsFile, JSON.stringify(outputs));
  const keyFile = join(folder, 'key');
  writeFileSync(keyFile, identity.sshPrivateKey, { mode: 0o600 });
  return {
    folder,
    identity,
    inputs: {
      directory: join(checkout, 'infra/ansible'),
      inventory: 'inventories/staging',
      'terraform-outputs': outputsFile,
      'private-key': identity.sshPrivateKey,
      'vault-password': settings('secrets').ANSIBLE_VAULT_PASSWORD ?? '',
      'runner-access': 'true',
      'runner-address': gatewayAddress(instance),
      'hcloud-token': identity.hcloudToken,
      'release-lease': '5m',
    },
    variables: {
      ...JSON.parse(settings('variables').STAGING_ANSIBLE_VARIABLES ?? '{}'),
      compta_registry_username: identity.registryUser,
      compta_registry_password: identity.registryPassword,
      compta_test_user: identity.testUser,
      compta_test_password: identity.testPassword,
      release_terraform_outputs: outputsFile,
      release_private_key: keyFile,
    },
    env: {
      RUNNER_TOOL_CACHE: process.env.RUNNER_TOOL_CACHE ?? '',
      HCLOUD_ENDPOINT: `${hetznerUrl(instance)}/v1`,
    },
    application: serversOf(parseTerraformOutputs(outputs), 'application').map(({ name }) => name),
  };
}

/** Runs a play as the pipeline would, with the bastion's door open and the release lease held. */
async function play(
  desk: Desk,
  playbook: string,
  variables: Record<string, unknown>,
  more: Record<string, string> = {},
): Promise<void> {
  const { errors, exitCode, stdout } = await attempt(desk, playbook, variables, more);
  assert.deepEqual({ exitCode, errors }, { exitCode: 0, errors: [] }, stdout.slice(-4_000));
}

async function attempt(
  { inputs, variables: own, env }: Desk,
  playbook: string,
  variables: Record<string, unknown>,
  more: Record<string, string>,
) {
  const all = {
    ...inputs,
    ...more,
    playbook: `playbooks/${playbook}`,
    'extra-vars': JSON.stringify({ ...own, ...variables }),
  };
  const main = await runAction('action-ansible', all, env);
  const state = Object.entries(main.state).map(([name, value]) => [`STATE_${name}`, value]);
  const after = { ...env, ...Object.fromEntries(state) };
  await startAction('action-ansible', all, after, 'post').ended;
  return main;
}

/** From the state in the bucket. */
async function terraformOutputs(instance: Instance, identity: Identity): Promise<unknown> {
  const code = copyOfTheCode();
  try {
    const terraform = code.terraform('environments/staging', {
      AWS_ENDPOINT_URL_S3: `http://${s3Address(instance)}`,
      AWS_ACCESS_KEY_ID: identity.stateAccessKey,
      AWS_SECRET_ACCESS_KEY: identity.stateSecretKey,
    });
    await terraform.init('-lockfile=readonly', `-backend-config=bucket=${STATE_BUCKET}`);
    return await terraform.outputs();
  } finally {
    code.remove();
  }
}
