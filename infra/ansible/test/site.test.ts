import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { run } from '../../../lib/process/run.ts';
import { portsOf } from '../ports.ts';
import { type Played, play } from './playbook.ts';
import { orderServers, type Servers } from './servers.ts';
import { look, lookAtAll, reboot } from './state.ts';

jest.setTimeout(600_000);

/** Far from the numbers that checkouts claim, lowest first; the hardware's own tests have 15. */
const NUMBER = 14;
const NAMES = ['staging-bastion-1', 'staging-db-1', 'staging-app-1'];

let servers: Servers;
let first: Played;

beforeAll(async () => {
  servers = await orderServers(NUMBER, NAMES);
  // What the first boot is still writing is no doing of a run.
  for (const name of NAMES) await servers.console(name, ['cloud-init', 'status', '--wait']);
});
afterAll(() => servers.remove());

const nothing = () => Object.fromEntries(NAMES.map((name) => [name, 0]));

test('check mode says what bare servers lack, and changes nothing on them', async () => {
  const before = await lookAtAll(servers, 'settings');
  const { errors, changed } = await play(servers, 'site.yml', { mode: 'check' });
  expect(errors).toEqual([]);
  for (const name of NAMES) expect(changed[name]).toBeGreaterThan(10);
  expect(await lookAtAll(servers, 'settings')).toEqual(before);
});

test('one run configures all of them, and each role proves what it did', async () => {
  first = await play(servers, 'site.yml');
  expect(first.errors).toEqual([]);
  expect(await lookAtAll(servers, 'failed')).toEqual(
    Object.fromEntries(NAMES.map((name) => [name, []])),
  );
});

test('every managed file that was altered by hand is reported in check mode and repaired', async () => {
  const before = await lookAtAll(servers, 'settings');
  const altered = await alterEveryManagedFile();
  expect(altered.length).toBeGreaterThan(100);

  const checked = await play(servers, 'site.yml', { mode: 'check' });
  const reported = new Set(
    checked.results.filter(({ changed }) => changed).map(({ host, file }) => `${host}:${file}`),
  );
  expect(altered.filter((file) => !reported.has(file))).toEqual([]);

  expect(await play(servers, 'site.yml')).toMatchObject({ errors: [] });
  expect(await lookAtAll(servers, 'settings')).toEqual(before);
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

/** Adds an empty line to each file that a task wrote or that bears the mark. @returns `host:file` */
async function alterEveryManagedFile(): Promise<string[]> {
  const written = first.results.flatMap(({ host, file }) => (file ? [`${host}:${file}`] : []));
  const marked = Object.entries(await lookAtAll(servers, 'marked')).flatMap(([host, files]) =>
    files.map((file) => `${host}:${file}`),
  );
  const altered = [...new Set([...written, ...marked])].sort();
  for (const name of NAMES) {
    const files = altered.flatMap((entry) => {
      const [host, file = ''] = entry.split(':');
      return host === name ? [file] : [];
    });
    await servers.console(name, [
      'sh',
      '-ec',
      'for file; do echo >> "$file"; done',
      'sh',
      ...files,
    ]);
  }
  return altered;
}
