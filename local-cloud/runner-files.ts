import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readPins } from '../tools/installer/pins.ts';
import { cacheDirectory, checkout } from './claim.ts';
import { type Certificates, type Identity, vaultKey } from './identity.ts';
import { gatewayAddress, type Instance, loopback } from './instance.ts';
import type { BaseImage } from './services/base-images.ts';
import { builderName } from './services/builder.ts';
import { filesAddress } from './services/files.ts';
import { registryAddress } from './services/registry.ts';
import { STATE_BUCKET, s3Address } from './services/s3.ts';

/**
 * What a repository on GitHub would have as secrets and variables, and a runner as its
 * environment: the whole difference between this cloud and the real one.
 */
export interface RunnerFiles {
  secrets: string;
  variables: string;
  environment: string;
}

export const SLACK_CHANNEL = 'C0COMPTA';
export const WEBHOOK_SECRET = 'local';

export function runnerFiles(instance: Instance): RunnerFiles {
  const file = (name: string) => join(instance.stateDirectory, `runner.${name}`);
  return { secrets: file('secrets'), variables: file('vars'), environment: file('env') };
}

export function writeRunnerFiles(
  instance: Instance,
  identity: Identity,
  certificates: Certificates,
  images: Record<BaseImage, string>,
): void {
  const files = runnerFiles(instance);
  write(files.secrets, {
    HCLOUD_TOKEN: identity.hcloudToken,
    REGISTRY_USERNAME: identity.registryUser,
    REGISTRY_PASSWORD: identity.registryPassword,
    STAGING_SSH_PRIVATE_KEY: identity.sshPrivateKey,
    ANSIBLE_VAULT_PASSWORD: readFileSync(vaultKey(instance), 'utf8'),
    SLACK_WEBHOOK_URL: `${slackUrl(instance)}/services/T0COMPTA/B0COMPTA/${WEBHOOK_SECRET}`,
    SLACK_BOT_TOKEN: identity.slackToken,
    TERRAFORM_PLAN_KEY: identity.planKey,
    STATE_ACCESS_KEY_ID: identity.stateAccessKey,
    STATE_SECRET_ACCESS_KEY: identity.stateSecretKey,
    STAGING_TEST_USER: identity.testUser,
    STAGING_TEST_PASSWORD: identity.testPassword,
    GITHUB_TOKEN: identity.githubToken,
  });
  write(files.variables, {
    REGISTRY: `${registryAddress(instance)}/compta`,
    // The builder here is this machine alone, and so is its base image.
    PLATFORMS: 'linux/amd64',
    BASE_IMAGE: images.java,
    CADDY_IMAGE: images.caddy,
    STATE_BUCKET,
    STATE_ENDPOINT: `http://${s3Address(instance)}`,
    // What https://ip.hetzner.com would answer.
    RUNNER_ADDRESS: gatewayAddress(instance),
    TRIVY_DATABASE: join(cacheDirectory(), 'trivy-db'),
    SLACK_CHANNEL,
    SLACK_API_URL: `${slackUrl(instance)}/api`,
    SMOKE_BROWSER: '/usr/bin/chromium',
    // Built here from its Go module, which its second major version is not.
    K6_VERSION: readPins(join(checkout, 'tools/pins.json')).get('k6')?.version ?? '',
    STAGING_TERRAFORM_VARIABLES: JSON.stringify({
      authorized_keys: { ci: identity.sshPublicKey },
      // An office elsewhere: the runner is let in for the length of a job.
      admin_cidrs: ['198.51.100.10/32'],
    }),
    STAGING_ANSIBLE_VARIABLES: JSON.stringify(ansibleVariables(instance, certificates)),
  });
  write(files.environment, {
    HCLOUD_ENDPOINT: `${hetznerUrl(instance)}/v1`,
    ACTIONS_RESULTS_URL: gitHubUrl(instance),
    SSL_CERT_FILE: trustedAuthorities(instance),
    NODE_EXTRA_CA_CERTS: trustedAuthorities(instance),
    BUILDX_BUILDER: builderName(instance),
  });
}

function ansibleVariables(instance: Instance, certificates: Certificates) {
  return {
    ...serverVariables(instance),
    compta_registry: registryAddress(instance),
    compta_registry_ca: readFileSync(certificates.authority, 'utf8'),
  };
}

/** Mirrors and versions that a server at Hetzner would take from the internet. */
export function serverVariables(instance: Instance) {
  const files = `http://${filesAddress(instance)}`;
  const compose = join(cacheDirectory(), 'bin', 'docker-compose');
  return {
    postgresql_repository_url: `${files}/apt`,
    postgresql_repository_key: readFileSync(join(cacheDirectory(), 'apt-repo', 'key.asc'), 'utf8'),
    // Nothing goes to a place outside that the inventory may name.
    backup_remote: '',
    backup_rclone_remotes: {},
    docker_edition: 'docker.io',
    docker_compose_url: `${files}/bin/docker-compose`,
    docker_compose_sha256: createHash('sha256').update(readFileSync(compose)).digest('hex'),
    // A server of the local cloud has the memory of the machine that it shares.
    postgresql_shared_buffers: '128MB',
    postgresql_effective_cache_size: '512MB',
    postgresql_maintenance_work_mem: '64MB',
    postgresql_autovacuum_work_mem: '64MB',
    postgresql_min_wal_size: '80MB',
    postgresql_max_wal_size: '512MB',
    postgresql_huge_pages: 'off',
    redis_max_memory: '64mb',
    // A container on it can have no more open files than the machine allows.
    docker_container_limit_nofile: 16_384,
  };
}

export function hetznerUrl(instance: Instance): string {
  return `http://${loopback(instance, 1)}:8080`;
}

export function slackUrl(instance: Instance): string {
  return `http://${loopback(instance, 3)}:8080`;
}

export function gitHubUrl(instance: Instance): string {
  return `http://${loopback(instance, 4)}:8080`;
}

/** The system's authorities and the instance's own: SSL_CERT_FILE replaces, it does not add. */
export function trustedAuthorities(instance: Instance): string {
  return join(instance.stateDirectory, 'tls', 'bundle.crt');
}

export function writeTrustedAuthorities(instance: Instance, certificates: Certificates): void {
  const system = '/etc/ssl/certs/ca-certificates.crt';
  const bundle = existsSync(system) ? readFileSync(system, 'utf8') : '';
  writeFileSync(
    trustedAuthorities(instance),
    bundle + readFileSync(certificates.authority, 'utf8'),
  );
}

/** With double quotes, in which a line break is written `\\n`, as act reads it. */
export function dotenv(values: Record<string, string>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}\n`)
    .join('');
}

/** The values that `dotenv` wrote, by name. */
export function parseDotenv(text: string): Record<string, string> {
  const lines = [...text.matchAll(/^(\w+)=(".*")$/gm)];
  return Object.fromEntries(lines.map(([, name = '', value = '']) => [name, JSON.parse(value)]));
}

function write(file: string, values: Record<string, string>): void {
  writeFileSync(file, dotenv(values), { mode: 0o600 });
}
