import { copyFileSync, cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { run } from '../../../lib/process/run.ts';

const source = resolve(import.meta.dirname, '..');

const HERE = `
terraform {
  backend "local" {}
}
provider "hcloud" {
  poll_interval = "50ms"
  poll_function = "constant"
}
`;

export interface Finished {
  code: number;
  /** Both streams, with words that Terraform broke over lines joined again. */
  output: string;
}

/** A copy of this folder, so that nothing that Terraform writes lies beside the code. */
export function copyOfTheCode() {
  const folder = mkdtempSync(join(tmpdir(), 'compta-terraform-'));
  cpSync(source, folder, {
    recursive: true,
    filter: (path) => !path.endsWith('.terraform') && !path.endsWith('terraform.tfvars'),
  });
  return {
    /** @param module folder relative to this one, such as `modules/server` */
    terraform: (module: string, environment: NodeJS.ProcessEnv = {}) =>
      terraformIn(join(folder, module), environment),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Terraform in a folder; every call resolves, also when Terraform fails. */
function terraformIn(directory: string, environment: NodeJS.ProcessEnv) {
  const terraform = async (...argv: string[]): Promise<Finished> => {
    const { exitCode, stdout, stderr } = await run(['terraform', ...argv], {
      cwd: directory,
      env: { ...process.env, TF_IN_AUTOMATION: '1', TF_INPUT: '0', ...environment },
      allowedExitCodes: [0, 1, 2],
    });
    const text = `${stdout}${stderr}`.replaceAll(/^[│╷╵ ]+/gm, '');
    return { code: exitCode, output: text.replaceAll(/\s+/g, ' ') };
  };
  return {
    /** The example's variables, state here in place of the bucket, and a provider that asks more often. */
    settleHere(): void {
      const variables = join(directory, 'terraform.tfvars');
      copyFileSync(`${variables}.example`, variables);
      writeFileSync(join(directory, 'here_override.tf'), HERE);
    },
    init: (...options: string[]) => terraform('init', '-no-color', ...options),
    validate: () => terraform('validate', '-no-color'),
    test: () => terraform('test', '-no-color'),
    apply: (...options: string[]) => terraform('apply', '-no-color', '-auto-approve', ...options),
    /** Code 0: no changes, 2: changes. */
    plan: (...options: string[]) =>
      terraform('plan', '-no-color', '-detailed-exitcode', ...options),
    destroy: () => terraform('destroy', '-no-color', '-auto-approve'),
    /** Takes an address out of the state and leaves the thing alone. */
    forget: (address: string) => terraform('state', 'rm', '-no-color', address),
    /** What a plan that was saved as `file` would do, as JSON. */
    show: async (file: string) => (await terraform('show', '-json', file)).output,
    async outputs(): Promise<unknown> {
      return JSON.parse((await terraform('output', '-json')).output);
    },
  };
}
