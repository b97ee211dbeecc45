import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { parse } from 'yaml';

const folder = mkdtempSync(join(tmpdir(), 'compta-maintenance-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** What maintenance.yml says where this is what `compta status --json` gives; nobody is behind its server. */
function maintained(servers: object[], more: object = {}): string {
  const [inventory, known] = [join(folder, 'hosts.json'), join(folder, 'status.json')];
  const nowhere = { ansible_connection: 'ssh', ansible_host: '192.0.2.1', ansible_ssh_timeout: 1 };
  writeFileSync(inventory, JSON.stringify({ database: { hosts: { 'db-1': nowhere, ...more } } }));
  writeFileSync(known, JSON.stringify(servers));
  const values = JSON.stringify({ compta_command: ['sh', '-c', `cat ${known}`] });
  const { stdout } = spawnSync(
    'ansible-playbook',
    [`--inventory=${inventory}`, `--extra-vars=${values}`, 'playbooks/maintenance.yml'],
    { cwd: resolve(import.meta.dirname, '../..'), encoding: 'utf8' },
  );
  return stdout.replaceAll(/\s+/g, ' ');
}

test('maintenance does not go on from a release that ended half-way, under its own lease neither', () => {
  const well = { host: 'app-1', releasing: '', unfinished: '' };
  const refused = 'A release is under way or ended half-way: see `compta status`.';
  expect(maintained([well, { ...well, unfinished: '1.1.0-abc' }])).toContain(refused);
  expect(maintained([well, { ...well, releasing: '1.1.0-abc' }])).toContain(refused);
  const begun = maintained([well]);
  expect(begun).not.toContain(refused);
  expect(begun).toContain('unreachable=1');
}, 60_000);

test('maintenance ends at a server that nobody reaches any more', () => {
  const here = { ansible_connection: 'local', ansible_become: false };
  const python = { ansible_python_interpreter: '{{ ansible_playbook_python }}' };
  const well = { host: 'app-1', releasing: '', unfinished: '' };
  expect(maintained([well], { 'db-2': { ...here, ...python } })).toContain(
    'db-1 did not come back: see to that first, then run this again.',
  );
}, 60_000);

test('maintenance updates what the nightly run holds back, and nothing else is held', () => {
  const read = (path: string) => readFileSync(resolve(import.meta.dirname, '../..', path), 'utf8');
  const nightly = read('roles/common/templates/50unattended-upgrades.j2');
  const [, list = ''] = /Package-Blacklist \{([^}]*)\}/.exec(nightly) ?? [];
  const names = [...list.matchAll(/"\^(.+)";/g)].map(([, name]) => name);
  expect(read('playbooks/maintenance.yml')).toContain(`maintenance_held: ^(${names.join('|')})\n`);
  // PGDG's comes neither by the nightly run nor with PostgreSQL's packages, which ask for any from 15 on.
  expect(names).toContain('libpq5$');
});

test('an update brings no package along that is only recommended', () => {
  const update = readFileSync(
    resolve(import.meta.dirname, '../tasks/maintenance/update.yml'),
    'utf8',
  );
  const tasks = parse(update) as Record<string, object>[];
  const [held] = tasks.flatMap((task) => task['ansible.builtin.apt'] ?? []);
  expect(held).toMatchObject({ only_upgrade: true, install_recommends: false });
});
