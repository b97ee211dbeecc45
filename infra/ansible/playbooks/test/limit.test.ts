import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';

const folder = mkdtempSync(join(tmpdir(), 'compta-limit-'));
const inventory = join(folder, 'hosts.json');
afterAll(() => rmSync(folder, { recursive: true }));

// Nobody is behind these names: whoever is asked all the same is unreachable.
const nowhere = { ansible_connection: 'ssh', ansible_host: '192.0.2.1', ansible_ssh_timeout: 1 };
const group = (name: string) => ({ hosts: { [name]: nowhere } });
writeFileSync(inventory, JSON.stringify({ application: group('app-1'), database: group('db-1') }));

/** What a playbook says that runs on the database server alone, and under no lease. */
function limited(playbook: string): string {
  const { COMPTA_LEASE: _, ...env } = process.env;
  const { status, stdout } = spawnSync(
    'ansible-playbook',
    [`--inventory=${inventory}`, '--limit=db-1', `playbooks/${playbook}`],
    { cwd: resolve(import.meta.dirname, '../..'), encoding: 'utf8', env },
  );
  expect({ status, stdout }).toEqual({ status: 2, stdout: expect.any(String) });
  return stdout.replaceAll(/\s+/g, ' ');
}

test.each(['restore.yml', 'rotate-ssh.yml'])(
  '%s asks for the release lease, whatever it is limited to',
  (playbook) => {
    const said = limited(playbook);
    expect(said).toContain('A release could come in between. Run this under the release lease');
    expect(said).toMatch(/unreachable=0 failed=1/);
  },
  60_000,
);

test('passwords are not changed without the releases around it, which a limit would leave out', () => {
  const said = limited('rotate-database.yml');
  expect(said).toContain('A limit leaves out the releases');
  expect(said).toMatch(/unreachable=0 failed=1/);
}, 60_000);
