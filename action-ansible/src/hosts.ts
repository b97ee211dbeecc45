import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { ansibleInventory, knownHosts, sshConfig } from '../../lib/inventory/formats.ts';
import { type Inventory, parseTerraformOutputs } from '../../lib/inventory/inventory.ts';
import type { Agent } from './agent.ts';
import type { Inputs } from './inputs.ts';

export interface Hosts {
  /** For `ansible-playbook --inventory`. */
  inventory: string;
  /** For `ssh -F`. */
  sshConfig: string;
  /** The same for git, whose servers have a user and a port of their own. */
  gitSshConfig: string;
  /** Known hosts beside those of the inputs, to which a play adds each key before it is offered. */
  renewedKnownHosts: string;
}

/**
 * Writes inventory, known hosts and SSH configuration into the workspace.
 * @param renewed lines of known_hosts that the inputs do not have
 */
export function writeHosts(
  inputs: Inputs,
  agent: Agent,
  workspace: string,
  renewed: string,
): Hosts {
  const file = (name: string) => join(workspace, name);
  const [ssh, git, known] = [file('ssh_config'), file('git_ssh_config'), file('known_hosts')];
  const common = { sshConfig: ssh, gitSshConfig: git, renewedKnownHosts: file('renewed_hosts') };
  const knownFiles = [known, common.renewedKnownHosts];
  writeFileSync(known, `${inputs.knownHosts}\n`);
  writeFileSync(common.renewedKnownHosts, renewed);
  writeFileSync(git, directConfig(agent, [known], undefined));
  const servers = environmentOf(inputs);
  if (servers === undefined) {
    writeFileSync(ssh, directConfig(agent, knownFiles, inputs.jumpHost));
    return { inventory: inputs.inventory, ...common };
  }
  appendFileSync(known, knownHosts(servers));
  writeFileSync(
    ssh,
    sshConfig(servers, {
      identityFile: agent.publicKeyFile,
      identityAgent: agent.socket,
      knownHostsFiles: knownFiles,
    }),
  );
  const folder = file('inventory');
  mkdirSync(folder);
  writeFileSync(join(folder, 'hosts.yml'), stringify(ansibleInventory(servers)));
  linkVariables(inputs.inventory, folder);
  return { inventory: folder, ...common };
}

/** What Terraform made; undefined when the inventory alone names the hosts. */
export function environmentOf({ hosts }: Inputs): Inventory | undefined {
  if (hosts.from === 'inventory') return undefined;
  return parseTerraformOutputs(JSON.parse(readFileSync(hosts.file, 'utf8')));
}

/** Ansible looks for group_vars and host_vars beside the inventory, so they are put there. */
function linkVariables(source: string, folder: string): void {
  const from = statSync(source).isDirectory() ? source : dirname(source);
  for (const name of ['group_vars', 'host_vars']) {
    if (existsSync(join(from, name))) symlinkSync(join(from, name), join(folder, name));
  }
}

function directConfig(agent: Agent, knownHosts: string[], jump: string | undefined): string {
  const jumpAddress = jump?.replace(/^.*@/, '').replace(/:\d+$/, '');
  return [
    // OpenSSH passes `-F` on to the jump, which is not to jump itself.
    ...(jump ? [`Match !host ${jumpAddress}`, `  ProxyJump ${jump}`] : []),
    'Host *',
    `  IdentityAgent "${agent.socket}"`,
    `  IdentityFile "${agent.publicKeyFile}"`,
    '  IdentitiesOnly yes',
    `  UserKnownHostsFile ${knownHosts.map((file) => `"${file}"`).join(' ')}`,
    '  GlobalKnownHostsFile /dev/null',
    '  StrictHostKeyChecking yes',
    '  BatchMode yes',
    '  ConnectTimeout 15',
    '',
  ].join('\n');
}
