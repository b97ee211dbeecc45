/** A block of a Terraform file, such as `variable "name" { … }`, with its own attributes as text. */
export interface Block {
  name: string;
  /** Each on one line; a `description` without its quotes. */
  attributes: Record<string, string>;
}

/**
 * The labelled blocks of a file as `terraform fmt` leaves it: a block ends at a brace in the first
 * column, and its attributes begin at the third. Blocks within a block are left out.
 */
export function blocksOf(text: string): Block[] {
  return [...text.matchAll(/^\w+ "([^"]+)" \{\n([\s\S]*?)^\}$/gm)].map(
    ([, name = '', body = '']) => ({ name, attributes: attributesOf(body) }),
  );
}

function attributesOf(body: string): Record<string, string> {
  const lines = new Map<string, string[]>();
  let current: string[] | undefined;
  for (const line of body.split('\n')) {
    const [, name, value] = /^ {2}(\w+) += (.*)$/.exec(line) ?? [];
    if (name !== undefined) {
      current = [value ?? ''];
      lines.set(name, current);
    } else if (/^ {2}\w+ \{$/.test(line)) {
      current = undefined;
    } else {
      current?.push(line);
    }
  }
  return Object.fromEntries(
    [...lines].map(([name, of]) => [name, name === 'description' ? prose(of) : oneLine(of)]),
  );
}

/** What a string in quotes or a heredoc says. */
function prose([first = '', ...rest]: string[]): string {
  if (!first.startsWith('<<')) return JSON.parse(first) as string;
  const end = rest.findIndex((line) => line.trim() === first.replace(/^<<-?/, ''));
  return rest
    .slice(0, end)
    .map((line) => line.trim())
    .join(' ');
}

/** Lists and objects as one would write a short one. */
function oneLine(lines: readonly string[]): string {
  return lines
    .join('\n')
    .replaceAll(/([^{[(\s])\n(?= *[\w-]+ += )/g, '$1,\n')
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/([[(]) | (?=[\])])/g, '$1')
    .trim();
}
