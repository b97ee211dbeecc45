import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { play } from '../../infra/ansible/test/playbook.ts';
import {
  EIGHT_SERVERS,
  orderServers,
  type Servers,
  STAGING_SERVERS,
} from '../../infra/ansible/test/servers.ts';
import { ansibleInventory, knownHosts, sshConfig } from '../../lib/inventory/formats.ts';
import { parseTerraformOutputs } from '../../lib/inventory/inventory.ts';
import { run } from '../../lib/process/run.ts';
import { atLeast, atMost, type Figures } from '../measurement.ts';
import { type Scenario, seconds } from '../scenarios/scenario.ts';
import { stretch } from './delay.ts';

/** Not that of the roles' own test, which may run beside it. */
const NUMBER = 13;
/** Where the stretched wire to the bastion begins. */
const NEAR_END = '127.77.13.99';
const SSH_PORT = 2222;
const AT_LEAST = 2;

/** Staging's shape, which is what the action is held to. */
const SHAPE = STAGING_SERVERS.length;

/** Servers that a run is limited to, by how many they are. */
const GROWTH: Record<number, readonly string[]> = {
  1: ['staging-app-1'],
  2: ['staging-app-1', 'staging-app-2'],
  [SHAPE]: STAGING_SERVERS,
  8: EIGHT_SERVERS,
};

export const speed: Scenario = {
  shows: 'a site.yml with nothing to do: action-ansible against ansible-playbook as it comes',
  async run(_, print) {
    print('ordering the servers …');
    const servers = await orderServers(NUMBER, EIGHT_SERVERS);
    try {
      print('configuring the servers …');
      assert.deepEqual((await play(servers, 'site.yml')).errors, []);
      await servers.refresh();
      const growth: Figures = {};
      for (const [count, names] of Object.entries(GROWTH)) {
        const isHeld = names.length === SHAPE;
        const seen = await compared(servers, names, { delay: 0, turns: isHeld ? 2 : 1 }, print);
        growth[count] = isHeld ? held(seen) : seen;
      }
      const faraway = await withDelay(servers, 30, (far) =>
        compared(far, STAGING_SERVERS, { delay: 30, turns: 2 }, print),
      );
      return { addedRoundTrip30Ms: held(faraway), byServers: growth };
    } finally {
      await servers.remove();
    }
  },
};

const held = ({ changed, times, ...seen }: Awaited<ReturnType<typeof compared>>): Figures => ({
  ...seen,
  changed: atMost(0, changed, 'tasks'),
  times: atLeast(AT_LEAST, times, 'times as fast'),
});

/** Both in turn, where a bound is held twice, as the machine's load changes; the better of each counts. */
async function compared(
  servers: Servers,
  names: readonly string[],
  { delay, turns }: { delay: number; turns: number },
  print: (line: string) => void,
) {
  const limit = names.join(',');
  const of = `${names.length} servers, ${delay} ms`;
  const ours: number[] = [];
  const plain: number[] = [];
  let most = 0;
  for (let turn = 0; turn < turns; turn += 1) {
    print(`${of}: ansible-playbook …`);
    plain.push(await timed(() => plainly(servers, limit)));
    print(`${of}: action-ansible …`);
    ours.push(
      await timed(async () => {
        const { errors, changed } = await play(servers, 'site.yml', { limit });
        assert.deepEqual(errors, []);
        most = Math.max(most, ...Object.values(changed));
      }),
    );
  }
  const [action, ansible] = [Math.min(...ours), Math.min(...plain)];
  const seen = {
    actionSeconds: seconds(action),
    ansibleSeconds: seconds(ansible),
    changed: most,
    times: Math.floor((10 * ansible) / action) / 10,
  };
  print(`${of}: ${seen.actionSeconds} s against ${seen.ansibleSeconds} s, ${seen.times} times`);
  return seen;
}

/** @returns milliseconds */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = Date.now();
  await work();
  return Date.now() - begun;
}

/** ansible-playbook with its defaults: only where roles, hosts and keys are is said. */
async function plainly(servers: Servers, limit: string): Promise<void> {
  const { directory, vaultKey } = servers.ansible;
  const work = mkdtempSync(join(tmpdir(), 'compta-plain-'));
  const file = (name: string, text: string) => {
    writeFileSync(join(work, name), text, { mode: 0o600 });
    return join(work, name);
  };
  try {
    mkdirSync(join(work, 'inventory'));
    const variables = join(directory, 'inventories/staging/group_vars');
    symlinkSync(variables, join(work, 'inventory/group_vars'));
    file('inventory/hosts.yml', stringify(ansibleInventory(servers.inventory)));
    const config = sshConfig(servers.inventory, {
      identityFile: file('key', servers.privateKey),
      knownHostsFiles: [file('known_hosts', knownHosts(servers.inventory))],
    });
    const argv = [
      'ansible-playbook',
      `--inventory=${join(work, 'inventory')}`,
      `--extra-vars=@${file('variables.json', JSON.stringify(servers.variables))}`,
      `--vault-password-file=${vaultKey}`,
      `--ssh-common-args=-F ${file('ssh_config', config)}`,
      `--limit=${limit}`,
      'playbooks/site.yml',
    ];
    const env = {
      ...process.env,
      ANSIBLE_CONFIG: file('ansible.cfg', ''),
      ANSIBLE_ROLES_PATH: join(directory, 'roles'),
      ANSIBLE_SSH_CONTROL_PATH_DIR: work,
    };
    await run(argv, { cwd: directory, env });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The same servers, with a longer way to the bastion and so to all of them. */
async function withDelay<T>(
  servers: Servers,
  milliseconds: number,
  work: (far: Servers) => Promise<T>,
): Promise<T> {
  const { bastion } = servers.inventory;
  const outputs = structuredClone(servers.outputs) as {
    servers: { value: Record<string, { public_ip: string }> };
  };
  const entry = outputs.servers.value[bastion.name];
  assert.ok(entry);
  entry.public_ip = NEAR_END;
  const far = { ...servers, outputs, inventory: parseTerraformOutputs(outputs) };
  const wire = await stretch(
    { host: NEAR_END, port: SSH_PORT },
    { host: bastion.publicIp, port: SSH_PORT },
    milliseconds,
  );
  return work(far).finally(() => wire.close());
}
