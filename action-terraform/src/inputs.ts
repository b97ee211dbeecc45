import { isAbsolute, resolve } from 'node:path';
import { z } from 'zod';
import {
  boolean,
  InputError,
  lines,
  oneOf,
  optional,
  optionalSecret,
  required,
  yaml,
} from '../../lib/runner/inputs.ts';
import type { Runner } from '../../lib/runner/runner.ts';
import { expression, maskValue, strings } from './sensitive.ts';

export const COMMANDS = [
  'fmt',
  'validate',
  'plan',
  'apply',
  'destroy',
  'output',
  'drift',
  'doctor',
  'unlock',
] as const;
export type Command = (typeof COMMANDS)[number];

export interface Inputs {
  command: Command;
  /** Absolute path of the root module. */
  directory: string;
  /** The same as the workflow wrote it: part of what a plan is bound to. */
  directoryName: string;
  workspace: string;
  varFiles: string[];
  /** TF_VAR_… for the child: names and values as Terraform reads them. */
  variables: Record<string, string>;
  /** `key=value` pairs and files, for `init -backend-config`. */
  backendConfig: string[];
  tool: 'terraform' | 'tofu';
  version: string;
  mirror: string | undefined;
  planKey: string | undefined;
  /** A sealed plan on this machine, in place of the run's artifact. */
  planPath: string | undefined;
  outputsFile: string | undefined;
  allowDestroy: string[];
  lockTimeout: string;
  /** The lock that `unlock` frees. */
  lockId: string | undefined;
  policy: boolean;
  comment: 'off' | 'summary' | 'full';
  githubToken: string | undefined;
  hcloudToken: string | undefined;
  stateAccessKeyId: string | undefined;
  stateSecretAccessKey: string | undefined;
}

const DEFAULT_VERSION = { terraform: '1.11.4', tofu: '1.10.6' };
const variableMap = z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_-]*$/), z.unknown());

/** Secrets are masked before anything else is looked at. @throws InputError */
export function readInputs(runner: Runner): Inputs {
  const planKey = optionalSecret(runner, 'plan-key');
  const hcloudToken = optionalSecret(runner, 'hcloud-token') ?? runner.env.HCLOUD_TOKEN;
  if (hcloudToken) runner.mask(hcloudToken);
  const stateAccessKeyId = optionalSecret(runner, 'state-access-key-id');
  const stateSecretAccessKey = optionalSecret(runner, 'state-secret-access-key');
  const secretVariables = yaml(runner, 'secret-variables', variableMap) ?? {};
  for (const value of strings(secretVariables)) maskValue(runner, value);

  const command = oneOf(runner, 'command', COMMANDS);
  const tool = oneOf(runner, 'tool', ['terraform', 'tofu'], 'terraform');
  const directoryName = required(
    runner,
    'working-directory',
    'give the folder of the root module, such as infra/terraform/environments/staging.',
  );
  return {
    command,
    directory: resolve(directoryName),
    directoryName,
    workspace: runner.input('workspace') || 'default',
    varFiles: lines(runner, 'var-files'),
    variables: {
      ...asEnvironment(yaml(runner, 'variables', variableMap) ?? {}),
      ...asEnvironment(secretVariables),
    },
    backendConfig: backendConfig(runner),
    tool,
    version: runner.input('version') || DEFAULT_VERSION[tool],
    mirror: optional(runner, 'mirror'),
    planKey: checkedKey(planKey, command, optional(runner, 'plan-path')),
    planPath: absolute(optional(runner, 'plan-path')),
    outputsFile: absolute(optional(runner, 'outputs-file')),
    allowDestroy: lines(runner, 'allow-destroy'),
    lockTimeout: lockTimeout(runner),
    lockId: optional(runner, 'lock-id'),
    policy: boolean(runner, 'policy', true),
    ...comment(runner, planKey),
    hcloudToken,
    stateAccessKeyId,
    stateSecretAccessKey,
  };
}

function checkedKey(key: string | undefined, command: Command, path: string | undefined) {
  const wanted = command === 'plan' || command === 'apply';
  if (wanted && key === undefined) {
    throw new InputError(
      'plan-key',
      `is missing: a plan holds every secret of the configuration, so it ${path ? 'is opened' : 'travels'} only sealed. Give a secret of at least 32 characters.`,
    );
  }
  if (key !== undefined && key.length < 32) {
    throw new InputError(
      'plan-key',
      `has ${key.length} characters: give at least 32, for example from 'openssl rand -base64 32'.`,
    );
  }
  return key;
}

/** Terraform parses a TF_VAR_ of a string variable as it is, and any other as an expression. */
function asEnvironment(variables: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables).map(([name, value]) => [
      `TF_VAR_${name}`,
      typeof value === 'string' ? value : expression(value),
    ]),
  );
}

function backendConfig(runner: Runner): string[] {
  const entries = lines(runner, 'backend-config');
  const secret = entries.find((entry) => /^(access_key|secret_key|token|password)\s*=/.test(entry));
  if (secret !== undefined) {
    throw new InputError(
      'backend-config',
      `has '${secret.split('=')[0]?.trim()}', which would be readable in the process list: give credentials by 'state-access-key-id' and 'state-secret-access-key', or by environment.`,
    );
  }
  return entries;
}

function comment(
  runner: Runner,
  planKey: string | undefined,
): Pick<Inputs, 'comment' | 'githubToken'> {
  const githubToken = optionalSecret(runner, 'github-token');
  const wanted = oneOf(runner, 'comment', ['off', 'summary', 'full'], 'off');
  if (wanted !== 'off' && githubToken === undefined) {
    throw new InputError(
      'github-token',
      "is missing: a comment needs one with 'pull-requests: write', such as github.token.",
    );
  }
  if (wanted !== 'off' && planKey === undefined) {
    throw new InputError(
      'plan-key',
      'is missing: a comment is found again by a mark made with it.',
    );
  }
  return { comment: wanted, githubToken };
}

function lockTimeout(runner: Runner): string {
  const value = runner.input('lock-timeout') || '5m';
  if (!/^(\d+(s|m|h))+$/.test(value)) {
    throw new InputError('lock-timeout', `is '${value}': give a duration such as 90s, 5m or 1h.`);
  }
  return value;
}

function absolute(path: string | undefined): string | undefined {
  return path === undefined || isAbsolute(path) ? path : resolve(path);
}
