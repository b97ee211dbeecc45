import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { WorkflowRun } from '../../demo/workflow.ts';
import { type Authority, startAuthority } from '../../infra/docker/test/fixture/authority.ts';
import { run } from '../../lib/process/run.ts';
import { dockerConfig } from '../../lib/registry/login.ts';
import { loadIdentity } from '../../local-cloud/identity.ts';
import { gatewayAddress, type Instance, loopback } from '../../local-cloud/instance.ts';
import { parseDotenv, runnerFiles, trustedAuthorities } from '../../local-cloud/runner-files.ts';
import { baseImageName } from '../../local-cloud/services/base-images.ts';
import { builderName } from '../../local-cloud/services/builder.ts';
import { registryLogin } from '../../local-cloud/services/registry.ts';
import { awaitAnswer } from '../../local-cloud/services/waiting.ts';
import { NOBODY } from '../ansible/production.ts';
import { objectStorage } from './object-storage.ts';

/** The one public name: it resolves to the load balancer for the runner, the authority and the client. */
export const NAME = 'compta.test';
const CERTIFICATE_SECONDS = 90 * 86_400;

/** What production has around it: settings of its workflow, and where its backups go. */
export interface Outside {
  folder: string;
  run: Required<Pick<WorkflowRun, 'secrets' | 'variables' | 'hosts'>>;
  /** Folder behind the object storage. */
  backups: string;
  /** Configuration of Docker with the registry's login. */
  login: string;
}

/** Starts what production has around it, and has `ending` end it. */
export async function around(
  instance: Instance,
  folder: string,
  ending: (() => unknown)[],
): Promise<Outside> {
  const gateway = gatewayAddress(instance);
  const authority = await startAuthority(
    gateway,
    loopback(instance, 5),
    balancer(instance),
    CERTIFICATE_SECONDS,
  );
  ending.push(() => authority.close());
  await awaitAnswer(`${loopback(instance, 5)}:15000`);
  // Whom everybody's machine trusts; `up` writes the file anew.
  appendFileSync(trustedAuthorities(instance), `\n${await authority.issuingRoot()}\n`);

  const hosts = join(folder, 'hosts');
  writeFileSync(hosts, `${readFileSync('/etc/hosts', 'utf8')}\n${balancer(instance)} ${NAME}\n`);
  const login = join(folder, 'docker');
  logIn(instance, login);
  const backups = join(folder, 'storage');
  const remote = await objectStorage(`${gateway}:9001`, backups, ending);

  const { testUser, testPassword, sshPrivateKey } = loadIdentity(instance);
  const own = parseDotenv(readFileSync(runnerFiles(instance).variables, 'utf8'));
  const ansible = {
    ...JSON.parse(own.STAGING_ANSIBLE_VARIABLES ?? ''),
    ...remote,
    ...NOBODY,
    // The client's, not one of the pipeline's.
    compta_test_user: testUser,
    compta_test_password: testPassword,
  };
  const variables = {
    CADDY_IMAGE: await trustingCaddy(instance, own.CADDY_IMAGE ?? '', authority, folder, login),
    PRODUCTION_URL: `https://${NAME}`,
    PRODUCTION_SITE_ADDRESS: NAME,
    PRODUCTION_ACME_DIRECTORY: authority.directory,
    PRODUCTION_ACME_ROOTS: '/etc/ssl/authority.pem',
    // Keys and offices; servers, volumes, ports and protection are what production has by default.
    PRODUCTION_TERRAFORM_VARIABLES: own.STAGING_TERRAFORM_VARIABLES ?? '',
    PRODUCTION_ANSIBLE_VARIABLES: JSON.stringify(ansible),
  };
  const secrets = { SSH_PRIVATE_KEY: sshPrivateKey };
  return { folder, run: { secrets, variables, hosts }, backups, login };
}

/** The first one that the cloud gives. */
export function balancer(instance: Instance): string {
  return loopback(instance, 10);
}

function logIn(instance: Instance, folder: string): void {
  const config = dockerConfig(registryLogin(instance, loadIdentity(instance)));
  mkdirSync(folder, { mode: 0o700 });
  writeFileSync(join(folder, 'config.json'), config, { mode: 0o600 });
}

/**
 * Caddy's image with the root that the authority's directory is checked by: an authority of one's own
 * is in no image. @returns its reference, by digest
 */
async function trustingCaddy(
  instance: Instance,
  image: string,
  { apiRoot }: Authority,
  folder: string,
  login: string,
): Promise<string> {
  const context = join(folder, 'caddy');
  mkdirSync(context);
  writeFileSync(join(context, 'authority.pem'), apiRoot);
  const copy = 'COPY --chmod=444 authority.pem /etc/ssl/authority.pem';
  writeFileSync(join(context, 'Dockerfile'), `FROM ${image}\n${copy}\n`);
  const metadata = join(folder, 'caddy.json');
  const name = baseImageName(instance, 'caddy');
  await run(
    [
      ...['buildx', 'build', '--builder', builderName(instance), '--platform=linux/amd64'],
      ...['--provenance=false', '--progress=plain', `--metadata-file=${metadata}`],
      ...[`--output=type=image,name=${name}:production,push=true`, context],
    ],
    { env: { ...process.env, DOCKER_CONFIG: login } },
  );
  return `${name}@${JSON.parse(readFileSync(metadata, 'utf8'))['containerimage.digest']}`;
}
