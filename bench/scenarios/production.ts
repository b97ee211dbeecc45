import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inventoryOf } from '../../demo/cloud.ts';
import {
  dispatched,
  type Outcome,
  pushed,
  RELEASING,
  runUnderTraffic,
} from '../../demo/release.ts';
import { type Push, pushNextVersion } from '../../demo/repository.ts';
import type { WorkflowRun } from '../../demo/workflow.ts';
import { type Authority, startAuthority } from '../../infra/docker/test/fixture/authority.ts';
import { run } from '../../lib/process/run.ts';
import { checkout } from '../../local-cloud/claim.ts';
import { loadIdentity, vaultKey } from '../../local-cloud/identity.ts';
import { gatewayAddress, type Instance, loopback } from '../../local-cloud/instance.ts';
import { parseDotenv, runnerFiles, trustedAuthorities } from '../../local-cloud/runner-files.ts';
import { baseImageName } from '../../local-cloud/services/base-images.ts';
import { builderName } from '../../local-cloud/services/builder.ts';
import { registryAddress } from '../../local-cloud/services/registry.ts';
import { awaitAnswer } from '../../local-cloud/services/waiting.ts';
import { fillVault } from '../../local-cloud/vault.ts';
import { NOBODY } from '../ansible/production.ts';
import { atConsole, cloud } from '../cloud.ts';
import { atLeast, atMost } from '../measurement.ts';
import { countsOf, timesOf } from './releases.ts';
import { type Scenario, seconds, summaryOf } from './scenario.ts';

/** The one public name: it resolves to the load balancer for the runner, the authority and the client. */
const NAME = 'compta.test';
const DATABASE = 'production-db-1';
const MONITORING = 'production-monitoring-1';
const SERVERS = 5;
const VAULT = 'infra/ansible/inventories/production/group_vars/all.vault.yml';
const CERTIFICATE_SECONDS = 90 * 86_400;
/** Of the whole, on two cores. */
const WITHIN_SECONDS = 1_500;

export const productionWorkflow: Scenario = {
  shows:
    'deploy-production.yml whole: from nothing to HTTPS on five servers, then a second version under load that loses nothing',
  async run(instance, print) {
    const begun = Date.now();
    await cloud('reset');
    await cloud('up');
    const folder = mkdtempSync(join(tmpdir(), 'compta-production-'));
    const ending: (() => unknown)[] = [() => rmSync(folder, { recursive: true })];
    try {
      const outside = await around(instance, folder, ending);
      const first = await release(instance, print, outside);
      const { created, url } = await inventoryOf(instance);
      assert.equal(url, `http://${balancer(instance)}`, 'the name leads to the load balancer');
      assert.equal(created.server, SERVERS, "production's own servers");

      const second = await release(instance, print, outside, true);
      assert.ok(second.traffic);
      const drift = await runUnderTraffic(instance, print, RELEASING, {
        ...(await dispatched(instance, 'drift.yml', {})),
        ...outside.run,
        matrix: 'environment:production',
      });
      assert.ok(drift.succeeded, 'what runs is what the code says');
      const summary = summaryOf(second.jobs);
      const unchanged = [/is as planned: no changes/, /site\.yml: nothing to change/];
      const figures = {
        first: timesOf(first.jobs),
        second: {
          ...timesOf(second.jobs),
          ...countsOf(second.traffic),
          changed: atMost(0, unchanged.filter((told) => !told.test(summary)).length, 'stages'),
        },
        drift: timesOf(drift.jobs),
        watched: atLeast(SERVERS, await watchedBy(instance, MONITORING), 'targets'),
        backups: atLeast(1, encryptedBelow(outside.backups), 'files'),
      };
      await cloud('down');
      return {
        ...figures,
        seconds: atMost(WITHIN_SECONDS, seconds(Date.now() - begun), 's'),
      };
    } finally {
      for (const end of ending.reverse()) await end();
    }
  },
};

/** What production has around it: settings of its workflow, and where its backups go. */
interface Outside {
  folder: string;
  run: Required<Pick<WorkflowRun, 'secrets' | 'variables' | 'hosts'>>;
  /** Folder behind the object storage. */
  backups: string;
  /** Configuration of Docker with the registry's login. */
  login: string;
}

/** Pushes the next version to `develop`, has it built there, and merges it into `main`. */
async function release(
  instance: Instance,
  print: (line: string) => void,
  { folder, run: settings, login }: Outside,
  underLoad = false,
): Promise<Outcome> {
  const push = await pushNextVersion(checkout, instance, (workspace) =>
    ownVault(instance, workspace, join(folder, 'vault.yml')),
  );
  print(`Pushed ${push.version} (${push.sha.slice(0, 7)}) to develop.`);
  const build = { ...pushed(push, 'develop', 'deploy-staging.yml'), job: 'build-images' };
  const built = await runUnderTraffic(instance, print, RELEASING, build);
  assert.ok(built.succeeded, 'the images are built');
  await markAsProven(instance, push, login);

  await run(['git', '-C', push.workspace, 'push', '--quiet', 'origin', 'HEAD:main']);
  print(`\nMerged ${push.version} into main.`);
  const site = { url: `https://${NAME}`, database: DATABASE, hosts: settings.hosts };
  const outcome = await runUnderTraffic(
    instance,
    print,
    RELEASING,
    { ...pushed(push, 'main', 'deploy-production.yml'), ...settings },
    underLoad ? site : undefined,
  );
  assert.ok(outcome.succeeded, `${push.version} on production`);
  return outcome;
}

/** Made before the first push, as docs/deployment.md says, and the same ever after. */
async function ownVault(instance: Instance, workspace: string, kept: string): Promise<void> {
  const vault = join(workspace, VAULT);
  if (existsSync(kept)) return copyFileSync(kept, vault);
  rmSync(vault, { force: true });
  await fillVault(join(workspace, 'infra'), vaultKey(instance), 'production');
  copyFileSync(vault, kept);
}

/**
 * What staging does as the last thing, once its tests have passed. That it comes so far is what the
 * scenario `releases` shows; there are no servers of staging here.
 */
async function markAsProven(
  instance: Instance,
  { workspace, sha, version }: Push,
  login: string,
): Promise<void> {
  const { stdout } = await run(['git', '-C', workspace, 'rev-parse', 'HEAD^{tree}']);
  const copy = ['skopeo', 'copy', '--quiet', '--all', '--preserve-digests', '--insecure-policy'];
  const env = {
    ...process.env,
    SSL_CERT_FILE: trustedAuthorities(instance),
    REGISTRY_AUTH_FILE: join(login, 'config.json'),
  };
  for (const name of ['api-gateway', 'auth-service', 'accounting-service', 'reporting-service']) {
    const image = `docker://${registryAddress(instance)}/compta/${name}`;
    const built = `${image}:${version}-${sha.slice(0, 7)}`;
    await run([...copy, built, `${image}:proven-${stdout.trim()}`], { env });
  }
}

/** Starts it, and has `ending` end it. */
async function around(
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
function balancer(instance: Instance): string {
  return loopback(instance, 10);
}

function logIn(instance: Instance, folder: string): void {
  const { registryUser, registryPassword } = loadIdentity(instance);
  const auth = Buffer.from(`${registryUser}:${registryPassword}`).toString('base64');
  const config = { auths: { [registryAddress(instance)]: { auth } } };
  mkdirSync(folder, { mode: 0o700 });
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config), { mode: 0o600 });
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

/** Another company's object storage. @returns what the inventory says of it */
async function objectStorage(address: string, data: string, ending: (() => unknown)[]) {
  const [account, password] = [10, 20].map((bytes) => randomBytes(bytes).toString('hex'));
  mkdirSync(join(data, 'backups'), { recursive: true, mode: 0o700 });
  const env = { PATH: process.env.PATH, ROOT_ACCESS_KEY: account, ROOT_SECRET_KEY: password };
  const argv = ['--port', address, 'posix', data];
  const gateway = spawn('versitygw', argv, { env, stdio: 'ignore' });
  const ended = once(gateway, 'exit');
  ending.push(async () => {
    gateway.kill('SIGTERM');
    await ended;
  });
  await awaitAnswer(address);
  const store = {
    type: 's3',
    provider: 'Other',
    endpoint: `http://${address}`,
    region: 'us-east-1',
    access_key_id: account,
    secret_access_key: password,
  };
  // Public halves: nobody here opens a backup.
  const recipients = [1, 2].map(
    () => /age1\w+/.exec(execFileSync('age-keygen', { encoding: 'utf8', stdio: 'pipe' }))?.[0],
  );
  return {
    backup_remote: 'store:backups/production',
    backup_rclone_remotes: { store },
    backup_recipients: recipients,
  };
}

/** How many targets answer the server that watches them. */
async function watchedBy(instance: Instance, server: string): Promise<number> {
  const url = 'http://127.0.0.1:9090/api/v1/query?query=up';
  const { stdout } = await atConsole(instance, server, ['curl', '--silent', '--fail', url]);
  const { data } = JSON.parse(stdout) as { data: { result: { value: [number, string] }[] } };
  return data.result.filter(({ value }) => value[1] === '1').length;
}

function encryptedBelow(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.age'),
  ).length;
}
