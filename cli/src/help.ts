import { COMMANDS, type Command } from './commands.ts';
import { OPTIONS, type Option } from './options.ts';

/** `compta --help`. */
export function overview(): string {
  const lines = Object.entries(COMMANDS).map(([name, { what }]) => `  ${name.padEnd(12)} ${what}`);
  return `compta: releases of COMPTA by hand, under the same lease as the actions

Usage: compta COMMAND [OPTION…]
       compta COMMAND --help

${lines.join('\n')}
  migrate      bring a database's schema up to date; see compta migrate --help

Where to is told by --terraform-outputs FILE (or COMPTA_TERRAFORM_OUTPUTS), or by --hosts and
--known-hosts; how to get in by --private-key FILE, or the key itself in COMPTA_SSH_KEY.
`;
}

/** `compta COMMAND --help`. */
export function helpOf(name: string, { what, options, words }: Command): string {
  const rows = [...options, 'help' as const].map((option) => {
    const { value, what: says, default: fallback }: Option = OPTIONS[option];
    const left = `--${option}${value === undefined ? '' : ` ${value}`}`;
    return `  ${left.padEnd(28)} ${says}${fallback === undefined ? '' : ` [${fallback}]`}`;
  });
  const word = Array.isArray(words) ? ` ${words.join('|')}` : '';
  const program = words === 'program' ? ' -- COMMAND [ARGUMENT…]' : '';
  return `compta ${name}: ${what}

Usage: compta ${name}${word} [OPTION…]${program}

${rows.join('\n')}
`;
}
