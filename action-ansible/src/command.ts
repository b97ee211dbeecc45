import { join } from 'node:path';
import type { Hosts } from './hosts.ts';
import type { Inputs } from './inputs.ts';
import { controlSockets } from './workspace.ts';

/** Pure: nothing secret is among the arguments; those are in files or the environment. */
export function playbookArgv(
  ansible: string,
  inputs: Inputs,
  hosts: Hosts,
  extraVarsFile: string,
  limit: string | undefined,
): string[] {
  return [
    join(ansible, 'bin', 'ansible-playbook'),
    '--inventory',
    hosts.inventory,
    '--extra-vars',
    `@${extraVarsFile}`,
    ...(limit ? ['--limit', limit] : []),
    ...(inputs.tags ? ['--tags', inputs.tags] : []),
    ...(inputs.check ? ['--check'] : []),
    inputs.playbook,
  ];
}

export interface AnsibleFiles {
  workspace: string;
  callback: string;
  events: string;
  /** `label@file,…`, or empty. */
  vaultIdentities: string;
  hosts: Hosts;
}

export function ansibleEnvironment(
  env: NodeJS.ProcessEnv,
  ansible: string,
  files: AnsibleFiles,
  taskTimeoutMs: number,
): NodeJS.ProcessEnv {
  return {
    // Inputs carry secrets, and Ansible would hand its whole environment to local tasks.
    ...Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('INPUT_'))),
    PATH: `${join(ansible, 'bin')}:${env.PATH ?? ''}`,
    ANSIBLE_HOST_KEY_CHECKING: 'True',
    ANSIBLE_SSH_COMMON_ARGS: `-F ${files.hosts.sshConfig}`,
    ANSIBLE_SSH_CONTROL_PATH_DIR: controlSockets(files.workspace),
    // One session a task in place of four: modules go through standard input.
    ANSIBLE_PIPELINING: env.ANSIBLE_PIPELINING ?? 'True',
    GIT_SSH_COMMAND: `ssh -F ${files.hosts.gitSshConfig}`,
    ANSIBLE_LOCAL_TEMP: join(files.workspace, 'tmp'),
    ANSIBLE_CALLBACK_PLUGINS: files.callback,
    ANSIBLE_CALLBACKS_ENABLED: 'compta_events',
    COMPTA_EVENTS_FILE: files.events,
    COMPTA_KNOWN_HOSTS: files.hosts.renewedKnownHosts,
    ANSIBLE_TASK_TIMEOUT: String(Math.ceil(taskTimeoutMs / 1000)),
    ANSIBLE_NOCOWS: '1',
    ANSIBLE_FORCE_COLOR: '1',
    PYTHONUNBUFFERED: '1',
    // Every task is a process: without Ansible's compiled files each would compile its plugins.
    PYTHONDONTWRITEBYTECODE: '',
    ...(files.vaultIdentities ? { ANSIBLE_VAULT_IDENTITY_LIST: files.vaultIdentities } : {}),
  };
}
