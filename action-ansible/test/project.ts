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

/** With one host, `target`, on a port of loopback. */
export function makeProject(port: number): Project {
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
  project.write('inventory/hosts.yml', JSON.stringify(inventory(port)));
  return project;
}

function inventory(port: number) {
  const target = {
    ansible_host: '127.0.0.1',
    ansible_port: port,
    ansible_user: 'root',
    ansible_python_interpreter: '/usr/bin/python3',
  };
  return { all: { hosts: { target } } };
}

/** A playbook without fact gathering; the tasks are JSON, which YAML can read. */
export function playbook(...tasks: object[]): string {
  return `- hosts: all\n  gather_facts: false\n  tasks:\n${tasks
    .map((task) => `    - ${JSON.stringify(task)}\n`)
    .join('')}`;
}

/** Encrypts with the real ansible-vault. */
export function writeVault(project: Project, password: string, text: string): string {
  const name = 'inventory/group_vars/all/vault.yml';
  project.write(name, text);
  const secret = project.file('password');
  writeFileSync(secret, password);
  const program = join(find('ansible-core', '2.19.14'), 'bin', 'ansible-vault');
  execFileSync(program, ['encrypt', '--vault-password-file', secret, project.file(name)], {
    stdio: 'ignore',
  });
  rmSync(secret);
  return project.file(name);
}
