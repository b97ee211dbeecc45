import { readFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { inventoryFrom } from '../../lib/release/inputs.ts';
import { InputError } from '../../lib/runner/inputs.ts';
import type { Runner } from '../../lib/runner/runner.ts';
import { Redactor } from '../../lib/runner/secrets.ts';
import { OPTIONS, type Option, type OptionName } from './options.ts';

export type Values = Partial<Record<OptionName, string | boolean>>;

/** What has no place on a command line: the option with its file, or the variable it is in. */
const SECRETS: Record<string, { option: OptionName; variable: string; of?: OptionName }> = {
  'private-key': { option: 'private-key', variable: 'COMPTA_SSH_KEY' },
  // A shell has it for other commands too: only who is named logs in.
  password: { option: 'password-file', variable: 'COMPTA_REGISTRY_PASSWORD', of: 'username' },
};

/**
 * The command line as the runner that the releases' code asks for its inputs: options by their
 * name, files read, secrets from the environment. What it says goes to standard error.
 */
export function commandLineRunner(values: Values, env: NodeJS.ProcessEnv): Runner {
  const redactor = new Redactor();
  const say = (line: string): void => console.error(redactor.redact(line));
  const input = (name: string): string => {
    const {
      option: optionName,
      variable = '',
      of,
    } = SECRETS[name] ?? {
      option: name as OptionName,
    };
    const value = values[optionName];
    const secret = of === undefined || values[of] !== undefined ? env[variable] : undefined;
    if (secret && value === undefined) return secret.trim();
    if (name === 'environment' && value === undefined) return environmentOf(values);
    if (value === undefined) return '';
    const option: Option | undefined = OPTIONS[optionName];
    // Lists are words with commas here and lines in a workflow.
    if (name === 'hosts') return String(value).replaceAll(',', '\n');
    return option?.file ? contentOf(optionName, String(value)) : String(value);
  };
  return {
    input,
    mask: (secret) => void redactor.add(secret),
    redact: (text) => redactor.redact(text),
    info: say,
    notice: say,
    warning: (message) => say(`warning: ${message}`),
    error: say,
    group: (title, body) => {
      say(title);
      return body();
    },
    output: () => {},
    saveState: () => {},
    state: () => '',
    summary: () => {},
    temp: tmpdir(),
    env: { USER: userName(userInfo), ...env },
  };
}

/** Whoever runs it; in a container a user may have a number alone. */
export function userName(account: () => { username: string }): string {
  try {
    return account().username;
  } catch {
    return `uid ${process.getuid?.()}`;
  }
}

function environmentOf(values: Values): string {
  const outputs = values['terraform-outputs'];
  return outputs === undefined ? '' : inventoryFrom(String(outputs)).environment;
}

function contentOf(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (cause) {
    throw new InputError(name, `is '${path}', which cannot be read.`, cause);
  }
}
