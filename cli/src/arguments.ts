import { parseArgs } from 'node:util';
import { COMMANDS, type Command } from './commands.ts';
import { OPTIONS, type Option } from './options.ts';
import type { Values } from './runner.ts';

/** A command line that cannot be understood; the message says what to give. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export interface Line {
  name: string;
  command: Command;
  words: readonly string[];
  values: Values;
}

/** @throws UsageError */
export function readArguments(argv: readonly string[]): Line {
  const [name = '', ...rest] = argv;
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    const names = Object.keys(COMMANDS).join(', ');
    throw new UsageError(`Give one command of ${names}; see compta --help.`);
  }
  const options = Object.fromEntries(
    [...command.options, 'help' as const].map((option) => {
      const { value }: Option = OPTIONS[option];
      return [option, { type: value === undefined ? 'boolean' : 'string' }] as const;
    }),
  );
  try {
    const { values, positionals } = parseArgs({ args: rest, options, allowPositionals: true });
    refuseEmpty(values);
    const words = values.help ? [] : wordsOf(command, positionals);
    return { name, command, words, values };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.split('. ')[0] : String(cause);
    throw new UsageError(`${why}; see compta ${name} --help.`);
  }
}

/**
 * An empty variable of a shell is no wish for what is done when nothing is given.
 * @throws Error naming the option.
 */
export function refuseEmpty(values: Readonly<Record<string, unknown>>): void {
  const empty = Object.keys(values).find((option) => /^\s*$/.test(String(values[option])));
  if (empty !== undefined) throw new Error(`--${empty} is empty: give a value or leave it out`);
}

function wordsOf({ words = [] }: Command, given: readonly string[]): readonly string[] {
  if (words === 'program') {
    if (given.length > 0) return given;
    throw new Error('Give the command to run after --');
  }
  const [word = '', ...more] = given;
  if (words.length === 0 && given.length === 0) return [];
  if (words.includes(word) && more.length === 0) return [word];
  throw new Error(
    words.length === 0 ? `It takes options only, not '${word}'` : `Give ${words.join(' or ')}`,
  );
}
