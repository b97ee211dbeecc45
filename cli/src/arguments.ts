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
  word: string;
  values: Values;
}

/** @throws UsageError */
export function readArguments(argv: readonly string[]): Line {
  const [name = '', ...rest] = argv;
  const command = COMMANDS[name];
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
    const word = values.help ? '' : wordOf(command, positionals);
    return { name, command, word, values };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.split('. ')[0] : String(cause);
    throw new UsageError(`${why}; see compta ${name} --help.`);
  }
}

function wordOf({ words }: Command, given: readonly string[]): string {
  const [word = '', ...more] = given;
  if (words === undefined && given.length === 0) return '';
  if (words?.includes(word) && more.length === 0) return word;
  throw new Error(
    words === undefined ? `It takes options only, not '${word}'` : `Give ${words.join(' or ')}`,
  );
}
