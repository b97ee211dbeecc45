/** Markdown that GitHub renders: job summaries and pull-request comments. */

export type Verdict = 'passed' | 'failed' | 'warning' | 'unchanged' | 'cancelled';

const SIGN: Record<Verdict, string> = {
  passed: '✅',
  failed: '❌',
  warning: '⚠️',
  unchanged: '➖',
  cancelled: '🚫',
};

/** The first line of every summary: what came of it, in one sentence. */
export function verdict(kind: Verdict, sentence: string): string {
  return `### ${SIGN[kind]} ${sentence}`;
}

/** A table; cells are escaped, rows may be empty ("none" is then said instead). */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '_none_';
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`;
  return [line(header), `|${header.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}

function cell(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('|', '\\|').replaceAll(/\r?\n/g, '<br>');
}

/** A fold that opens on a click; `body` is Markdown. */
export function details(summary: string, body: string): string {
  return `<details><summary>${escapeHtml(summary)}</summary>\n\n${body}\n\n</details>`;
}

/** A fenced block whose fence is longer than any run of backticks inside. */
export function code(text: string, language = ''): string {
  const longest = Math.max(0, ...[...text.matchAll(/`+/g)].map((run) => run[0].length));
  const fence = '`'.repeat(Math.max(3, longest + 1));
  return `${fence}${language}\n${text.trimEnd()}\n${fence}`;
}

export interface Span {
  section: string;
  label: string;
  /** Milliseconds since the epoch. */
  start: number;
  end: number;
  failed?: boolean;
}

/** Which host, which service, when: a Mermaid gantt with seconds since the first span. */
export function timeline(title: string, spans: readonly Span[]): string {
  if (spans.length === 0) return '';
  const origin = Math.min(...spans.map((span) => span.start));
  const seconds = (time: number) => Math.round((time - origin) / 1000);
  const sections = [...new Set(spans.map((span) => span.section))];
  const body = sections.flatMap((section) => [
    `    section ${plain(section)}`,
    ...spans
      .filter((span) => span.section === section)
      .map((span) => {
        const tag = span.failed ? 'crit, ' : '';
        const length = Math.max(1, seconds(span.end) - seconds(span.start));
        return `    ${plain(span.label)} :${tag}${seconds(span.start)}, ${length}s`;
      }),
  ]);
  const head = ['gantt', `    title ${plain(title)}`, '    dateFormat X', '    axisFormat %M:%S'];
  return code([...head, ...body].join('\n'), 'mermaid');
}

/** Mermaid takes no colon, semicolon or hash in a label. */
function plain(text: string): string {
  return text.replaceAll(/[:;#\n]/g, ' ');
}

/** "850 ms", "12.3 s", "4 min 05 s". */
export function elapsed(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  const seconds = Math.round(milliseconds / 1000);
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`;
}

const FOLD_END = '</details>';

/** Cuts whole lines so that the text keeps below `limit` bytes, and says that it did, outside of a fold. */
export function cutToBytes(text: string, limit: number, note: string): string {
  if (Buffer.byteLength(text) <= limit) return text;
  const end = text.includes(FOLD_END) ? FOLD_END.length + 2 : 0;
  let room = limit - Buffer.byteLength(note) - 2 - end;
  const lines = text.split('\n');
  const first = lines.findIndex((line) => {
    room -= Buffer.byteLength(line) + 1;
    return room < 0;
  });
  const kept = lines.slice(0, first).join('\n');
  const isOpen = kept.lastIndexOf('<details>') > kept.lastIndexOf(FOLD_END);
  return [kept, ...(isOpen ? ['', FOLD_END] : []), '', note].join('\n');
}

export function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
