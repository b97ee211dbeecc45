import { writeFile } from 'node:fs/promises';
import { stringify } from 'yaml';
import { ansibleInventory, knownHosts } from '../../lib/inventory/formats.ts';
import { type Inventory, parseTerraformOutputs } from '../../lib/inventory/inventory.ts';

/**
 * The environment that outputs describe; undefined for a root module that is none, as it names no
 * environment with a bastion.
 *
 * @throws Error that lists each output of an environment that is missing or malformed
 */
export function environmentIn(outputs: Record<string, unknown>): Inventory | undefined {
  const isMeant = 'environment' in outputs && 'bastion' in outputs;
  return isMeant ? parseTerraformOutputs(outputs) : undefined;
}

/**
 * The inventory for Ansible's own command line: through the bastion, with the host keys that
 * Terraform knows and no others.
 *
 * @param files where the two are written, absolute and without spaces
 */
export async function writeInventory(
  environment: Inventory,
  files: { inventory: string; knownHosts: string },
): Promise<void> {
  const { bastion, ssh } = environment;
  const checked = `-o UserKnownHostsFile=${files.knownHosts} -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes`;
  const jump = `ssh ${checked} -p ${ssh.port} -W %h:%p ${ssh.user}@${bastion.publicIp}`;
  const { all } = ansibleInventory(environment);
  const { children } = all;
  const inventory = {
    all: {
      vars: { ...all.vars, ansible_ssh_common_args: `${checked} -o ProxyCommand="${jump}"` },
      children: {
        ...children,
        bastion: { ...children.bastion, vars: { ansible_ssh_common_args: checked } },
      },
    },
  };
  await writeFile(files.knownHosts, knownHosts(environment), { mode: 0o600 });
  await writeFile(files.inventory, stringify(inventory), { mode: 0o600 });
}
