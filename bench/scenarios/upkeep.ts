import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { inventoryOf } from '../../demo/cloud.ts';
import { openOffice } from '../../demo/office.ts';
import { run } from '../../lib/process/run.ts';
import { keyPair } from '../../lib/ssh/key-pair.ts';
import type { Instance } from '../../local-cloud/instance.ts';
import { atConsole } from '../cloud.ts';
import { applicationServers, attempt, type Desk, file, play, sitDown, whatRuns } from '../desk.ts';
import { countsOf } from './releases.ts';
import { type Scenario, seconds } from './scenario.ts';

export const upkeep: Scenario = {
  shows: 'new passwords, keys and accounts, and reboots, under load, lose nothing',
  async run(instance, print) {
    const { url } = await inventoryOf(instance);
    assert.ok(url, 'there is a release to take care of');
    const folder = mkdtempSync(join(tmpdir(), 'compta-upkeep-'));
    try {
      const desk = await sitDown(instance, folder);
      const office = await openOffice(instance, { url }, folder);
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
  'reboots of the application servers': async (desk, instance) => {
    for (const server of applicationServers(desk)) {
      await atConsole(instance, server, ['touch', '/run/reboot-required']);
    }
    const before = await boots(instance, applicationServers(desk));
    await play(desk, 'maintenance.yml', {});
    const after = await boots(instance, applicationServers(desk));
    for (const [i, boot] of after.entries()) assert.notEqual(boot, before[i], 'it was rebooted');
  },
  'a maintenance that was cut off': async (desk, instance) => {
    const [server = ''] = applicationServers(desk);
    const left = ['/opt/compta/caddy/state/out-of-rotation', '/var/lib/misc/compta-maintenance'];
    await atConsole(instance, server, ['touch', ...left]);
    await play(desk, 'maintenance.yml', {});
    const { stdout } = await atConsole(instance, server, ['find', ...left.map(dirname)]);
    for (const file of left)
      assert.ok(!stdout.split('\n').includes(file), `${file} is still there`);
  },
  'new passwords of the database': async (desk, instance) => {
    const { version, images, variables } = await whatRuns(desk, instance);
    const release = {
      release_version: version,
      release_images: file(desk, 'images.json', JSON.stringify(images)),
      release_variables: file(desk, 'variables.yml', JSON.stringify(variables)),
    };
    const tags = { tags: 'database' };
    await play(desk, 'rotate-secrets.yml', { ...release, ...newPasswords() }, tags);
    await play(desk, 'rotate-secrets.yml', release, tags);
  },
  'a new account at the registry': async (desk, instance) => {
    const account = { user: 'compta-next', password: randomBytes(16).toString('hex') };
    const { stdout } = await run(['htpasswd', '-inB', account.user], { input: account.password });
    const accounts = join(instance.stateDirectory, 'registry', 'htpasswd');
    const before = readFileSync(accounts, 'utf8');
    writeFileSync(accounts, before + stdout);
    const next = {
      compta_registry_username: account.user,
      compta_registry_password: account.password,
    };
    await play(desk, 'rotate-secrets.yml', next, { tags: 'registry' });
    await play(desk, 'rotate-secrets.yml', {}, { tags: 'registry' });
    writeFileSync(accounts, before);
  },
  'a new SSH key': async (desk) => {
    const next = keyPair('compta-next');
    const { sshPrivateKey, sshPublicKey } = desk.identity;
    const own = { private: sshPrivateKey, public: sshPublicKey };
    await changeKey(desk, own, next);
    await changeKey(desk, next, own);
  },
};

type Key = ReturnType<typeof keyPair>;

async function changeKey(desk: Desk, from: Key, to: Key): Promise<void> {
  const rotation = {
    rotation_ssh_old: from.public,
    rotation_ssh_new: to.public,
    rotation_ssh_private_key: file(desk, 'next-key', to.private),
    release_private_key: file(desk, 'former-key', from.private),
  };
  const inputs = { tags: 'ssh', 'private-key': from.private };
  await play(desk, 'rotate-secrets.yml', rotation, inputs);
  const { errors } = await attempt(desk, 'rotate-secrets.yml', rotation, inputs);
  // By the first that asks: the release lease.
  assert.match(errors.join(), /refused user "deploy" with the given key/);
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
