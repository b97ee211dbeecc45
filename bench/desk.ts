import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pushedLast } from '../demo/repository.ts';
import { copyOfTheCode } from '../infra/terraform/test/terraform.ts';
import { type Inventory, parseTerraformOutputs, serversOf } from '../lib/inventory/inventory.ts';
import { parseManifest } from '../lib/release/manifest.ts';
import { runWithPost } from '../lib/runner/test/start-action.ts';
import { type Identity, loadIdentity } from '../local-cloud/identity.ts';
import { gatewayAddress, type Instance } from '../local-cloud/instance.ts';
import { hetznerUrl, parseDotenv, runnerFiles } from '../local-cloud/runner-files.ts';
import { STATE_BUCKET, s3Address } from '../local-cloud/services/s3.ts';
import { atConsole } from './cloud.ts';

/** What an administrator of staging has at hand, in files that are gone afterwards. */
export interface Desk {
  folder: string;
  identity: Identity;
  /** As action-ansible takes them. */
  inputs: Record<string, string>;
  /** Of every play: mirrors and sizes of this cloud. */
  variables: Record<string, unknown>;
  env: Record<string, string>;
  servers: Inventory;
}

/** @returns its path */
export function file({ folder }: Pick<Desk, 'folder'>, name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}

/** @param folder for secrets: the caller removes it */
export async function sitDown(instance: Instance, folder: string): Promise<Desk> {
  const identity = loadIdentity(instance);
  const files = runnerFiles(instance);
  const settings = (name: 'secrets' | 'variables') =>
    parseDotenv(readFileSync(files[name], 'utf8'));
  const { workspace } = await pushedLast(instance.stateDirectory);
  const outputs = await terraformOutputs(instance, identity);
  const outputsFile = file({ folder }, 'outputs.json', JSON.stringify(outputs));
  const keyFile = file({ folder }, 'key', identity.sshPrivateKey);
  return {
    folder,
    identity,
    inputs: {
      directory: join(workspace, 'infra/ansible'),
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
    servers: parseTerraformOutputs(outputs),
  };
}

/** Runs a play as the pipeline would, with the bastion's door open and the release lease held. */
export async function play(
  desk: Desk,
  playbook: string,
  variables: Record<string, unknown>,
  more: Record<string, string> = {},
): Promise<void> {
  const { errors, exitCode, stdout } = await attempt(desk, playbook, variables, more);
  assert.deepEqual({ exitCode, errors }, { exitCode: 0, errors: [] }, stdout.slice(-4_000));
}

/** As `play`, however it ends. */
export async function attempt(
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
  return runWithPost('action-ansible', all, env);
}

export function applicationServers({ servers }: Desk): string[] {
  return serversOf(servers, 'application').map(({ name }) => name);
}

/** What the servers run, as a deploy is given it. */
export interface Running {
  version: string;
  images: Record<string, string>;
  variables: Record<string, string | undefined>;
}

export async function whatRuns(desk: Desk, instance: Instance): Promise<Running> {
  const [server = ''] = applicationServers(desk);
  const path = '/opt/compta/current/manifest.json';
  const { stdout } = await atConsole(instance, server, ['cat', path]);
  const { version, services, edge } = parseManifest(stdout, `${server}:${path}`);
  const images = Object.entries(services).map(([name, { image }]) => [name, image]);
  const [database] = serversOf(desk.servers, 'database');
  return {
    version,
    images: Object.fromEntries(images),
    variables: {
      CADDY_IMAGE: edge.image,
      DATABASE_HOST: database?.privateIp,
      SITE_ADDRESS: ':8000',
    },
  };
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
