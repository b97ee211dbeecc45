import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { find } from '@actions/tool-cache';

/** A folder as infra/ansible is one: playbooks, an inventory, perhaps a vault. */
export interface Project {
  folder: string;
  file(name: string): string;
  write(name: string, text: string): void;
  remove(): void;
}

/** With one host, `target`, on a port of loopback; more by their ports. */
export function makeProject(port: number, more: Record<string, number> = {}): Project {
  const folder = mkdtempSync(join(tmpdir(), 'compta-ansible-'));
  const project: Project = {
    folder,
    file: (name) => join(folder, name),
    write(name, text) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
  project.write('inventory/hosts.yml', JSON.stringify(inventory({ target: port, ...more })));
  return project;
}

function inventory(ports: Record<string, number>) {
  const hosts = Object.entries(ports).map(([name, port]) => [
    name,
    {
      ansible_host: '127.0.0.1',
      ansible_port: port,
      ansible_user: 'root',
      ansible_python_interpreter: '/usr/bin/python3',
    },
  ]);
  return { all: { hosts: Object.fromEntries(hosts) as object } };
}

/** A playbook without fact gathering; the tasks are JSON, which YAML can read. */
export function playbook(...tasks: object[]): string {
  return `- hosts: all\n  gather_facts: false\n  tasks:\n${tasks
    .map((task) => `    - ${JSON.stringify(task)}\n`)
    .join('')}`;
}

/** Encrypts with the real ansible-vault, perhaps with a label. Returns the file's path. */
export function writeVault(
  project: Project,
  password: string,
  text: string,
  { name = 'inventory/group_vars/all/vault.yml', label = 'default' } = {},
): string {
  project.write(name, encrypt(project, password, text, label));
  return project.file(name);
}

/** `!vault |` with what the real ansible-vault makes of a value. */
export function inlineVault(project: Project, password: string, text: string): string {
  const block = encrypt(project, password, text, 'default').trim();
  return `!vault |\n      ${block.replaceAll('\n', '\n      ')}`;
}

function encrypt(project: Project, password: string, input: string, label: string): string {
  const secret = project.file('password');
  writeFileSync(secret, password);
  const program = join(find('ansible-core', '2.19.14'), 'bin', 'ansible-vault');
  const id = label === 'default' ? [] : ['--encrypt-vault-id', label];
  const options = ['--vault-id', `${label}@${secret}`, ...id, '--output', '-'];
  try {
    return execFileSync(program, ['encrypt', ...options], {
      input,
      stdio: ['pipe', 'pipe', 'ignore'],
      encoding: 'utf8',
    });
  } finally {
    rmSync(secret);
  }
}
