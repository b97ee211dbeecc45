/** Terraform's command lines: pure, so that a test can read them. No secret is ever in one. */

export function initArgv(backendConfig: readonly string[]): string[] {
  return [
    'init',
    '-input=false',
    '-no-color',
    '-lockfile=readonly',
    '-reconfigure',
    ...backendConfig.map((entry) => `-backend-config=${entry}`),
  ];
}

/** For `validate`, which needs the providers and no state. */
export const initWithoutBackendArgv = [
  'init',
  '-input=false',
  '-no-color',
  '-lockfile=readonly',
  '-backend=false',
];

/** Terraform's planning modes. */
export type PlanMode = 'normal' | 'destroy' | 'refresh-only';

export interface PlanOptions {
  varFiles: readonly string[];
  lockTimeout: string;
  planFile: string;
  mode: PlanMode;
}

export function planArgv({ varFiles, lockTimeout, planFile, mode }: PlanOptions): string[] {
  return [
    'plan',
    '-input=false',
    '-no-color',
    '-detailed-exitcode',
    `-lock-timeout=${lockTimeout}`,
    `-out=${planFile}`,
    ...(mode === 'normal' ? [] : [`-${mode}`]),
    ...varFiles.map((file) => `-var-file=${file}`),
  ];
}

export function applyArgv(planFile: string, lockTimeout: string): string[] {
  return ['apply', '-input=false', '-no-color', `-lock-timeout=${lockTimeout}`, planFile];
}

export const showArgv = (planFile: string): string[] => ['show', '-json', '-no-color', planFile];
export const outputArgv = ['output', '-json', '-no-color'];
export const statePullArgv = ['state', 'pull'];

export function statePushArgv(file: string, lockTimeout: string): string[] {
  return ['state', 'push', '-no-color', `-lock-timeout=${lockTimeout}`, file];
}

export const validateArgv = ['validate', '-json', '-no-color'];
export const fmtArgv = ['fmt', '-check', '-list=true', '-diff', '-recursive', '-no-color'];
export const workspaceArgv = (name: string): string[] => [
  'workspace',
  'select',
  '-or-create',
  '-no-color',
  name,
];
