import { statSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import { z } from 'zod';
import { hcloudToken } from '../../lib/hetzner/token.ts';
import {
  boolean,
  InputError,
  lines,
  oneOf,
  optional,
  optionalSecret,
  required,
  secretYaml,
  webAddress,
  yaml,
} from '../../lib/runner/inputs.ts';
import type { Runner } from '../../lib/runner/runner.ts';
import { expression, maskValue, scalars } from './sensitive.ts';

export const COMMANDS = [
  'fmt',
  'validate',
  'plan',
  'apply',
  'destroy',
  'output',
  'refresh',
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
const variableMap = z.record(
  z.string().regex(/^[A-Za-z_][A-Za-z0-9_-]*$/),
  // An expression that came out empty: Terraform would take it for the text "null".
  z.unknown().refine((value) => value !== null, 'has no value: give one, or leave it out'),
);

/** Secrets are masked before anything else is looked at. @throws InputError */
export function readInputs(runner: Runner): Inputs {
  const planKey = optionalSecret(runner, 'plan-key');
  const token = checkedToken(runner);
  const state = stateKeys(runner);
  const secretVariables = secretYaml(runner, 'secret-variables', variableMap) ?? {};
  for (const value of scalars(secretVariables)) maskValue(runner, value);

  const command = oneOf(runner, 'command', COMMANDS);
  const tool = oneOf(runner, 'tool', ['terraform', 'tofu'], 'terraform');
  const directoryName = required(
    runner,
    'working-directory',
    'give the folder of the root module, such as infra/terraform/environments/staging.',
  );
  const directory = resolve(directoryName);
  if (!isFolder(directory)) {
    throw new InputError('working-directory', `is '${directoryName}', which is no folder.`);
  }
  return {
    command,
    directory,
    directoryName,
    workspace: workspace(runner),
    varFiles: varFiles(runner, directory),
    variables: {
      ...asEnvironment(yaml(runner, 'variables', variableMap) ?? {}),
      ...asEnvironment(secretVariables),
    },
    backendConfig: backendConfig(runner, directory),
    tool,
    version: version(runner, DEFAULT_VERSION[tool]),
    mirror: webAddress(runner, 'mirror', 'https://mirror.example/tools'),
    planKey: checkedKey(planKey, command, optional(runner, 'plan-path')),
    planPath: filePath(runner, 'plan-path'),
    outputsFile: filePath(runner, 'outputs-file'),
    allowDestroy: allowDestroy(runner),
    lockTimeout: lockTimeout(runner),
    lockId: lockId(runner, command),
    policy: boolean(runner, 'policy', true),
    ...comment(runner, planKey),
    hcloudToken: token,
    ...state,
  };
}

/** The provider refuses any other length, after the plan has begun. */
function checkedToken(runner: Runner): string | undefined {
  const value = hcloudToken(runner);
  if (value === undefined || value.length === 64) return value;
  throw new InputError(
    'hcloud-token',
    `has ${value.length} characters: an API token of Hetzner Cloud has 64.`,
  );
}

function stateKeys(runner: Runner): Pick<Inputs, 'stateAccessKeyId' | 'stateSecretAccessKey'> {
  const stateAccessKeyId = optionalSecret(runner, 'state-access-key-id');
  const stateSecretAccessKey = optionalSecret(runner, 'state-secret-access-key');
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = runner.env;
  for (const value of [AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN]) {
    if (value) runner.mask(value);
  }
  const needed = (input: string, other: string) => {
    throw new InputError(input, `is missing: '${other}' is of no use without it.`);
  };
  if (stateSecretAccessKey && !(stateAccessKeyId ?? AWS_ACCESS_KEY_ID)) {
    needed('state-access-key-id', 'state-secret-access-key');
  }
  if (stateAccessKeyId && !(stateSecretAccessKey ?? AWS_SECRET_ACCESS_KEY)) {
    needed('state-secret-access-key', 'state-access-key-id');
  }
  return { stateAccessKeyId, stateSecretAccessKey };
}

function workspace(runner: Runner): string {
  const value = runner.input('workspace') || 'default';
  const { TF_WORKSPACE } = runner.env;
  if (TF_WORKSPACE) {
    throw new InputError(
      'workspace',
      `is '${value}', but Terraform would follow TF_WORKSPACE, which is '${TF_WORKSPACE}': take that out of the environment.`,
    );
  }
  // Terraform takes what needs no escaping in a URL; a dash in front would be an option.
  if (/^[A-Za-z0-9_~.][A-Za-z0-9_~.-]*$/.test(value)) return value;
  throw new InputError('workspace', `is '${value}': give letters, digits, '-', '_', '.' and '~'.`);
}

function varFiles(runner: Runner, directory: string): string[] {
  const files = lines(runner, 'var-files');
  const missing = files.find((file) => !isFile(resolve(directory, file)));
  if (missing === undefined) return files;
  throw new InputError('var-files', `has '${missing}', which is no file in ${directory}.`);
}

function version(runner: Runner, fallback: string): string {
  const value = runner.input('version') || fallback;
  if (/^\d+\.\d+\.\d+$/.test(value)) return value;
  throw new InputError('version', `is '${value}': give an exact one such as ${fallback}.`);
}

/** An address has commas between quotes at most: elsewhere they are a list on one line. */
function allowDestroy(runner: Runner): string[] {
  const globs = lines(runner, 'allow-destroy');
  const list = globs.find((glob) => glob.replaceAll(/"[^"]*"/g, '').includes(','));
  if (list === undefined) return globs;
  throw new InputError('allow-destroy', `has '${list}': give one address a line.`);
}

function lockId(runner: Runner, command: Command): string | undefined {
  const value = optional(runner, 'lock-id');
  if (command === 'unlock' && value === undefined) {
    throw new InputError('lock-id', "is missing: the failure 'state-locked' tells it.");
  }
  if (value === undefined || /^[0-9A-Za-z][0-9A-Za-z-]*$/.test(value)) return value;
  throw new InputError('lock-id', `is '${value}': give it as the failure 'state-locked' tells it.`);
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

/** What the backends that Terraform brings along take as secrets. */
const CREDENTIAL =
  /^((\w+_)?(token|password|client_secret)|access_key|secret_(id|key)|(sse_customer|encryption|client)_key|client_private_key_pem|conn_str|http_auth)\s*=/;

function backendConfig(runner: Runner, directory: string): string[] {
  const entries = lines(runner, 'backend-config');
  const strange = entries.find(
    (entry) => !entry.includes('=') && !isFile(resolve(directory, entry)),
  );
  if (strange !== undefined) {
    throw new InputError(
      'backend-config',
      `has '${strange}', which is neither 'key=value' nor a file in ${directory}.`,
    );
  }
  const secret = entries.find((entry) => CREDENTIAL.test(entry));
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

/** Absolute path of a file that may not exist yet. */
function filePath(runner: Runner, input: string): string | undefined {
  const path = optional(runner, input);
  if (path === undefined) return undefined;
  const file = isAbsolute(path) ? path : resolve(path);
  if (!isFolder(file)) return file;
  throw new InputError(input, `is '${path}', which is a folder: give a file.`);
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
