import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
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
import { run } from '../../lib/process/run.ts';
import { checkout } from '../../local-cloud/claim.ts';
import { vaultKey } from '../../local-cloud/identity.ts';
import type { Instance } from '../../local-cloud/instance.ts';
import { trustedAuthorities } from '../../local-cloud/runner-files.ts';
import { registryAddress } from '../../local-cloud/services/registry.ts';
import { fillVault } from '../../local-cloud/vault.ts';
import { atConsole, cloud } from '../cloud.ts';
import { atLeast, atMost } from '../measurement.ts';
import { countsOf, timesOf } from '../scenarios/releases.ts';
import { type Scenario, seconds, summaryOf } from '../scenarios/scenario.ts';
import { around, balancer, NAME, type Outside } from './outside.ts';

const DATABASE = 'production-db-1';
const MONITORING = 'production-monitoring-1';
const SERVERS = 5;
const VAULT = 'infra/ansible/inventories/production/group_vars/all.vault.yml';
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
