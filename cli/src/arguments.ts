import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Destination, destinationOf } from '../../lib/release/connect.ts';
import { inventoryFrom } from '../../lib/release/inputs.ts';

export const commands = ['deploy', 'rollback', 'status', 'history', 'unlock'] as const;
export type Command = (typeof commands)[number];

export const help = `compta: releases of COMPTA by hand, under the same lease as the actions

  compta status   --terraform-outputs FILE --private-key FILE [--json]
  compta history  --terraform-outputs FILE --private-key FILE [--json]
  compta deploy   … --version VERSION --images FILE --variables FILE [--base-url URL]
  compta rollback … [--version VERSION] --reason TEXT --confirm ENVIRONMENT [--base-url URL]
  compta unlock   … --reason TEXT
  compta migrate  … (see compta migrate --help)

  --terraform-outputs FILE  what \`terraform output -json\` printed
  --private-key FILE        SSH key of the deploy user; COMPTA_SSH_KEY instead: the key itself
  --images FILE             JSON or YAML: service → repository@sha256:…, or action-build's output
  --variables FILE          YAML of values for the Compose file
  --batch N                 servers at a time (1)
  --json                    for a program; progress goes to standard error
`;

const options = {
  'terraform-outputs': { type: 'string' },
  'private-key': { type: 'string' },
  version: { type: 'string' },
  images: { type: 'string' },
  variables: { type: 'string' },
  reason: { type: 'string' },
  confirm: { type: 'string' },
  'base-url': { type: 'string' },
  batch: { type: 'string', default: '1' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

export type Options = ReturnType<typeof parse>['values'];

function parse(argv: readonly string[]) {
  return parseArgs({ args: [...argv], options, allowPositionals: true });
}

/** A command line that cannot be understood; the message says what to give. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** @throws UsageError */
export function readArguments(argv: readonly string[]): { command: Command; options: Options } {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(argv);
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
  const [word, ...rest] = parsed.positionals;
  const command = commands.find((candidate) => candidate === word);
  if (command === undefined || rest.length > 0) {
    throw new UsageError(`Give one command of ${commands.join(', ')}; see compta --help.`);
  }
  return { command, options: parsed.values };
}

/** @throws UsageError naming the option that is missing. */
export function needed(values: Options, name: keyof Options): string {
  const value = values[name];
  if (typeof value !== 'string' || value === '') throw new UsageError(`--${name} is missing.`);
  return value;
}

/** Where to, and the environment's name. */
export function destination(
  values: Options,
  env: NodeJS.ProcessEnv,
): { environment: string; destination: Destination } {
  const inventory = inventoryFrom(needed(values, 'terraform-outputs'));
  const key = env.COMPTA_SSH_KEY ?? readFileSync(needed(values, 'private-key'), 'utf8');
  return { environment: inventory.environment, destination: destinationOf(inventory, key) };
}
