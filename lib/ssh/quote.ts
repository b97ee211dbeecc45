/**
 * One command line for a POSIX shell out of an argv array. SSH hands the remote side a string that
 * its login shell splits, so this is the only place where quoting happens.
 */
export function quote(argv: readonly string[]): string {
  return argv.map(quoteWord).join(' ');
}

function quoteWord(word: string): string {
  if (word.includes('\0')) throw new Error('A command cannot carry a NUL byte.');
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
