import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { run } from '../../../lib/process/run.ts';
import { startCloud, TOKEN } from './client.ts';

const MINUTES = 60_000;
const here = join(import.meta.dirname, 'python');
const cache =
  process.env.COMPTA_CACHE ??
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'compta');
const environment = join(cache, 'hcloud-python-2.27.0');
const python = join(environment, 'bin', 'python');

/** Hetzner's client, with the versions and hashes that requirements.txt names. */
beforeAll(async () => {
  if (existsSync(environment)) return;
  mkdirSync(cache, { recursive: true });
  const partial = `${environment}.partial`;
  rmSync(partial, { recursive: true, force: true });
  await run(['python3', '-m', 'venv', partial]);
  const pip = [join(partial, 'bin', 'python'), '-m', 'pip', '--no-input', 'install', '--quiet'];
  await run([...pip, '--require-hashes', '-r', join(here, 'requirements.txt')]);
  renameSync(partial, environment);
}, 5 * MINUTES);

let cloud: Awaited<ReturnType<typeof startCloud>>;
beforeEach(async () => {
  cloud = await startCloud();
});
afterEach(() => cloud.stop());

test(
  'the official Python client builds an environment, meets its errors, and leaves nothing',
  async () => {
    await cloud.post('/_faults', {
      fail_action: { command: 'reboot_server', message: 'no host is free' },
    });
    const { stdout } = await run([python, join(here, 'environment.py'), cloud.api.url, TOKEN]);
    expect(JSON.parse(stdout)).toEqual({
      servers: ['web-1', 'web-2'],
      private: ['10.0.1.1', '10.0.1.2'],
      locations: ['fsn1'],
      firewalls: ['web'],
      rules: ['in', 'out'],
      volume: 20,
      targets: 2,
      routes: ['10.100.0.0/16'],
      orderable: ['cpx12', 'cpx22', 'cpx32', 'cpx42', 'cpx52', 'ccx13'],
      last_action: 'success',
      errors: {
        'a name twice': 'uniqueness_error',
        'a protected server': 'protected',
        'a firewall in use': 'resource_in_use',
        'an attached volume': 'resource_in_use',
        'a type of yesterday': 'invalid_server_type',
        'an unknown server': 'not_found',
      },
      paged: 60,
      failed: 'no host is free',
      left: 0,
    });
    expect(cloud.machinery.state).toEqual({
      servers: {},
      volumes: {},
      network: null,
      firewalls: [],
      balancers: [],
    });
  },
  2 * MINUTES,
);
