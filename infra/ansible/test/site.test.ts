import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { run } from '../../../lib/process/run.ts';
import { keyPair } from '../../../lib/ssh/key-pair.ts';
import { portsOf } from '../ports.ts';
import { alterEveryManagedFile, unreported } from './managed-files.ts';
import { type Played, play } from './playbook.ts';
import { orderServers, type Servers } from './servers.ts';
import { look, lookAtAll, reboot } from './state.ts';

jest.setTimeout(600_000);

/** Far from the numbers that checkouts claim, lowest first; the hardware's own tests have 15. */
const NUMBER = 14;
const NAMES = ['staging-bastion-1', 'staging-db-1', 'staging-app-1'];

const keyFolder = mkdtempSync(join(tmpdir(), 'compta-keys-'));
let servers: Servers;
let first: Played;
/** Of staging-app-1: its host key of the first contact. */
let firstLabel: string;

beforeAll(async () => {
  servers = await orderServers(NUMBER, NAMES);
  // What the first boot is still writing is no doing of a run.
  for (const name of NAMES) await servers.console(name, ['cloud-init', 'status', '--wait']);
  firstLabel = (await labels('staging-app-1'))['host-key'] ?? '';
});
afterAll(async () => {
  rmSync(keyFolder, { recursive: true });
  await servers.remove();
});

/** The host key that each server's sshd offers. */
async function offered(): Promise<Record<string, string>> {
  const scan = ['ssh-keyscan', '-t', 'ed25519', '-p', '2222', '127.0.0.1'];
  const lines = NAMES.map(async (name) => (await servers.console(name, scan)).trim());
  const keys = (await Promise.all(lines)).map((line) => line.split(' ').slice(1).join(' '));
  return Object.fromEntries(NAMES.map((name, index) => [name, keys[index] ?? '']));
}

/** The host keys of Terraform's outputs. */
const told = () =>
  Object.fromEntries(servers.inventory.servers.map(({ name, hostKey }) => [name, hostKey]));

/** What Hetzner has as a server's labels, perhaps after they were set. */
async function labels(name: string, set?: object): Promise<Record<string, string>> {
  const { url, token } = servers.hetzner;
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const found = await fetch(`${url}/servers?name=${name}`, { headers });
  const [server] = ((await found.json()) as { servers: { id: number; labels: object }[] }).servers;
  if (set !== undefined) {
    const body = JSON.stringify({ labels: set });
    await fetch(`${url}/servers/${server?.id}`, { method: 'PUT', headers, body });
  }
  return { ...server?.labels } as Record<string, string>;
}

function keyFile(key: string): string {
  const file = join(keyFolder, `${readdirSync(keyFolder).length}`);
  writeFileSync(file, key, { mode: 0o600 });
  return file;
}

/** OpenSSH with one key and no other; whom it talks to is not what is asked here. */
function sshWith(key: string): string[] {
  const file = keyFile(key);
  const options = [
    'IdentitiesOnly=yes',
    'StrictHostKeyChecking=no',
    'UserKnownHostsFile=/dev/null',
  ];
  const all = [...options, 'BatchMode=yes', 'ConnectTimeout=5'].flatMap((option) => ['-o', option]);
  return ['ssh', '-F', 'none', '-i', file, '-p', '2222', ...all];
}

const nothing = () => Object.fromEntries(NAMES.map((name) => [name, 0]));

test('check mode says what bare servers lack, and changes nothing on them', async () => {
  const before = await lookAtAll(servers, 'settings');
  const { errors, changed } = await play(servers, 'site.yml', { mode: 'check' });
  expect(errors).toEqual([]);
  for (const name of NAMES) expect(changed[name]).toBeGreaterThan(10);
  expect(await lookAtAll(servers, 'settings')).toEqual(before);
});

test('a server with the key of the state is refused, where its next one could not be told', async () => {
  const { errors } = await play(servers, 'site.yml', { tags: 'ssh', 'hcloud-token': '' });
  expect(errors.join()).toMatch(/staging-app-1 still offers the host key that Terraform's state/);
  expect(await offered()).toEqual(told());
});

test('one run configures all of them, and each role proves what it did', async () => {
  first = await play(servers, 'site.yml');
  expect(first.errors).toEqual([]);
  expect(await lookAtAll(servers, 'failed')).toEqual(
    Object.fromEntries(NAMES.map((name) => [name, []])),
  );
});

test('PostgreSQL keeps no statement that has a password in clear', async () => {
  const sets = "query ~* '(create|alter) +(user|role) .*password'";
  const asked = `SELECT query FROM pg_stat_statements WHERE ${sets}`;
  const psql = ['psql', '--no-psqlrc', '--tuples-only', '--dbname=compta_auth', '--command'];
  const found = ['runuser', '-u', 'postgres', '--', ...psql, asked];
  expect((await servers.console('staging-db-1', found)).trim()).toBe('');
});

test('every managed file that was altered by hand is reported in check mode and repaired', async () => {
  const before = await lookAtAll(servers, 'settings');
  const altered = await alterEveryManagedFile(servers, first);
  expect(altered.length).toBeGreaterThan(100);

  const checked = await play(servers, 'site.yml', { mode: 'check' });
  expect(unreported(altered, checked)).toEqual([]);

  expect(await play(servers, 'site.yml')).toMatchObject({ errors: [] });
  expect(await lookAtAll(servers, 'settings')).toEqual(before);
});

test('a renewal that was killed near its end is ended by the next run', async () => {
  const name = 'staging-app-1';
  const key = '/etc/ssh/ssh_host_ed25519_key';
  const [before, keys] = [await labels(name), await offered()];
  await labels(name, {
    ...before,
    'host-key': firstLabel,
    'host-key-next': before['host-key'] ?? '',
  });
  for (const half of ['', '.pub']) {
    await servers.console(name, ['cp', '--preserve', `${key}${half}`, `${key}.next${half}`]);
  }
  const { errors } = await play(servers, 'site.yml', { tags: 'ssh', limit: name });
  expect(errors).toEqual([]);
  expect(await labels(name)).toEqual(before);
  expect(await offered()).toEqual(keys);
  expect(await servers.console(name, ['sh', '-c', `ls ${key}.next* || true`])).toBe('');
});

test('each server has made a host key of its own, which from then on the outputs tell', async () => {
  const keys = await offered();
  for (const name of NAMES) {
    const first = told()[name] ?? '';
    expect(keys[name]).not.toBe(first);
    const found = await servers.console(name, [
      'sh',
      '-c',
      `grep -rlF '${first}' /etc/ssh || true`,
    ]);
    expect({ name, found }).toEqual({ name, found: '' });
  }
  await servers.refresh();
  expect(told()).toEqual(keys);
  expect(await servers.plan()).toBe(0);
});

test('the scripts and YAML files that were rendered pass shellcheck and yamllint', async () => {
  const linters = [
    { files: 'scripts', argv: ['shellcheck', '-'] },
    {
      files: 'documents',
      argv: [
        'yamllint',
        '--strict',
        '-d',
        '{extends: relaxed, rules: {line-length: {max: 120}}}',
        '-',
      ],
    },
  ] as const;
  for (const name of NAMES) {
    for (const { files, argv } of linters) {
      for (const file of await look(servers, name, files)) {
        const input = await servers.console(name, ['cat', file]);
        const { stdout } = await run([...argv], { input, allowedExitCodes: [0, 1, 2] });
        expect({ name, file, stdout }).toEqual({ name, file, stdout: '' });
      }
    }
  }
});

test('what listens beyond loopback is in the table of ports', async () => {
  for (const { name, role } of servers.inventory.servers) {
    const listening = (await look(servers, name, 'listening')).map((line) => {
      const [protocol, address = ''] = line.split(' ');
      return `${protocol} ${address.split(':').pop()}`;
    });
    const allowed = portsOf(role).map((port) => `tcp ${port}`);
    expect({ name, beyond: listening.filter((one) => !allowed.includes(one)) }).toEqual({
      name,
      beyond: [],
    });
  }
});

test('what chkrootkit finds every day is in the journal', async () => {
  const name = 'staging-app-1';
  const trace = '/tmp/.uua';
  await servers.console(name, ['touch', trace]);
  await servers.console(name, ['systemctl', 'start', 'chkrootkit.service']);
  await servers.console(name, ['rm', trace]);
  const journal = ['journalctl', '--unit=chkrootkit', '--boot', '--output=cat'];
  const said = await servers.console(name, journal);
  expect(said).toContain('WARNING: Possible Scalper Worm installed');
  expect(said).not.toMatch(/can't (find|exec)/);
});

/** Variables beside those of every run. */
const also = (more: object) => ({
  'extra-vars': JSON.stringify({ ...servers.variables, ...more }),
});

test('an administrator gets in with a key and becomes root, until the inventory says otherwise', async () => {
  const name = 'staging-app-1';
  const { privateIp } = servers.inventory.servers.find((one) => one.name === name) ?? {};
  const salma = keyPair('salma');
  const ssh = sshWith(salma.private);
  const becomeRoot = [...ssh, `salma@${privateIp}`, 'sudo', '--non-interactive', 'id', '--user'];
  const declared = (common_admins: object[]) =>
    play(servers, 'site.yml', { tags: 'users,ssh', limit: name, ...also({ common_admins }) });

  expect(await declared([{ name: 'salma', keys: [salma.public] }])).toMatchObject({ errors: [] });
  expect((await servers.inNetworkOf('staging-bastion-1', becomeRoot)).trim()).toBe('0');

  expect(await declared([{ name: 'salma', state: 'absent' }])).toMatchObject({ errors: [] });
  await expect(servers.inNetworkOf('staging-bastion-1', becomeRoot)).rejects.toThrow(/denied/);
  expect(await declared([])).toMatchObject({ errors: [] });
  const left = ['sh', '-c', 'getent passwd salma; ls /etc/sudoers.d | grep admins; true'];
  expect(await servers.console(name, left)).toBe('');
});

test('check mode of another SSH key says what would be let in, and asks nobody with it', async () => {
  const next = keyPair('next');
  const name = 'staging-app-1';
  const before = await servers.console(name, ['cat', '/home/deploy/.ssh/authorized_keys']);
  const rotation = {
    rotation_ssh_new: next.public,
    rotation_ssh_old: before.split('\n')[0],
    rotation_ssh_private_key: keyFile(next.private),
  };
  const rotated = await play(servers, 'rotate-ssh.yml', {
    ...{ mode: 'check', limit: name, strategy: 'linear' },
    ...also(rotation),
  });
  expect(rotated).toMatchObject({ errors: [], changed: { [name]: 1 } });
});

test('who knocks with wrong keys is shut out for a while', async () => {
  const { name, publicIp } = servers.inventory.bastion;
  // A ban that comes between two packets of a connection leaves OpenSSH sending the second for minutes.
  const limited = ['timeout', '10', ...sshWith(keyPair().private), `deploy@${publicIp}`, 'true'];
  const knock = () => run(limited, { allowedExitCodes: [124, 255] });
  const ban = (...words: string[]) => servers.console(name, ['fail2ban-client', ...words]);
  try {
    for (const deadline = Date.now() + 60_000; Date.now() < deadline; ) {
      await knock();
      if (!/Currently banned:\s+0/.test(await ban('status', 'sshd'))) break;
    }
    expect(await ban('status', 'sshd')).toMatch(/Currently banned:\s+1/);
    expect((await knock()).stderr).toMatch(/refused|timed out/i);
  } finally {
    await ban('unban', '--all');
  }
});

test('pools that leave PostgreSQL no room are refused before anything is written', async () => {
  const { errors, changed } = await play(servers, 'site.yml', {
    ...{ tags: 'pgbouncer', limit: 'staging-db-1' },
    ...also({ pgbouncer_default_pool_size: 60 }),
  });
  expect(errors.join()).toContain(
    '3 databases × (60 + 5 in reserve) = 195 connections, but 200 - 50',
  );
  expect(changed['staging-db-1']).toBe(0);
});

test('a server that nobody answers at ends the run before anything is done on the others', async () => {
  const app = (verb: string) =>
    servers.console('staging-app-1', ['systemctl', verb, 'ssh.service']);
  await app('stop');
  const { errors, results } = await play(servers, 'site.yml', { 'retry-unreachable': '0' });
  await app('start');
  expect(errors).toEqual([expect.stringContaining('staging-app-1 could not be reached')]);
  expect(new Set(results.map(({ task }) => task))).toEqual(new Set(['Log in']));
});

test('two runs at once wait for each other, and for whoever else installs', async () => {
  const name = 'staging-app-1';
  const install = `import fcntl, time
lock = open('/var/lib/dpkg/lock-frontend', 'w')
fcntl.lockf(lock, fcntl.LOCK_EX)
time.sleep(12)`;
  await servers.console(name, ['dpkg', '--remove', 'debsums']);
  const packages = () => play(servers, 'site.yml', { tags: 'packages', limit: name });
  const [, ...runs] = await Promise.all([
    servers.console(name, ['python3', '-c', install]),
    packages(),
    packages(),
  ]);
  expect(runs.map(({ errors }) => errors)).toEqual([[], []]);
  const status = await servers.console(name, ['dpkg-query', '--status', 'debsums']);
  expect(status).toContain('install ok installed');
});

test('a reboot of each server brings every service back', async () => {
  const before = await lookAtAll(servers, 'running');
  await Promise.all(NAMES.map((name) => reboot(servers, name)));
  expect(await lookAtAll(servers, 'running')).toEqual(before);
});

test('another run changes nothing, not a file, a unit or a package, and proves it all again', async () => {
  const before = await lookAtAll(servers, 'settings');
  expect(await play(servers, 'site.yml')).toMatchObject({ errors: [], changed: nothing() });
  expect(await lookAtAll(servers, 'settings')).toEqual(before);
});
