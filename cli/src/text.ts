import { stripVTControlCharacters, styleText } from 'node:util';
import type { Outcome } from '../../lib/release/bring.ts';
import type { Evidence } from '../../lib/release/evidence.ts';
import { describe } from '../../lib/release/lease.ts';
import type { Part } from '../../lib/release/phases.ts';
import type { Preview } from '../../lib/release/preview.ts';
import { previewNotes, previewRows } from '../../lib/release/report.ts';
import { elapsed } from '../../lib/report/markdown.ts';
import { type History, isUnasked, type Status, type Unasked } from './state.ts';

type Style = Parameters<typeof styleText>[0];

/** Only where standard output is a terminal that shows it, and NO_COLOR does not forbid it. */
const paint = (style: Style, text: string): string =>
  styleText(style, text, { stream: process.stdout });

const styles: Record<string, Style> = {
  healthy: 'green',
  unhealthy: 'red',
  starting: 'yellow',
  deployed: 'green',
  swapped: 'green',
  unchanged: 'dim',
  'rolled-back': 'yellow',
  failed: 'red',
};
const coloured = (word: string): string => paint(styles[word] ?? 'reset', word);

/** Columns of equal width under a heading. */
export function columns(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [heading.map((word) => paint('bold', word)), ...rows];
  const width = (cell: string): number => stripVTControlCharacters(cell).length;
  const widths = heading.map((_, index) => Math.max(...all.map((row) => width(row[index] ?? ''))));
  return all
    .map((row) =>
      row
        .map((cell, index) => cell + ' '.repeat((widths[index] ?? 0) - width(cell)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export function statusText(hosts: Status): string {
  const rows = hosts.flatMap((each) => {
    if (isUnasked(each)) return [unaskedRow(each)];
    const { host, release, slots } = each;
    const running = slots.map(({ service, slot, version, health }) => [
      `${service}-${slot}`,
      version,
      coloured(health),
    ]);
    const none = ['', '', 'nothing runs'];
    return (running.length === 0 ? [none] : running).map((row) => [host, ...row, release]);
  });
  const notes = hosts.flatMap((each) => {
    if (isUnasked(each)) return [unaskedNote(each)];
    const { host, lease, held, releasing, unfinished, missing, outOfRotation, maintenance } = each;
    return [
      ...(lease && held ? [`${host}: held by ${describe(lease)}`] : []),
      ...(releasing === '' ? [] : [`${host}: ${releasing} is being released`]),
      ...(unfinished === '' ? [] : [`${host}: a run ended in the middle of ${unfinished}`]),
      ...(missing.length === 0 ? [] : [`${host}: ${missing.join(', ')} should run, and does not`]),
      ...(outOfRotation ? [`${host}: out of rotation; \`compta converge\` brings it back`] : []),
      ...(maintenance ? [`${host}: shows the maintenance page`] : []),
    ];
  });
  return [columns(['HOST', 'SLOT', 'VERSION', 'HEALTH', 'CURRENT RELEASE'], rows), ...notes].join(
    '\n',
  );
}

export function historyText(hosts: History): string {
  const rows = hosts.flatMap((each) => {
    if (isUnasked(each)) return [unaskedRow(each)];
    return each.entries.map(({ at, action, version, release, by, reason = '' }) => [
      each.host,
      at,
      action,
      version,
      release,
      by,
      reason,
    ]);
  });
  const table = columns(['HOST', 'WHEN', 'WHAT', 'VERSION', 'RELEASE', 'BY', 'WHY'], rows);
  return [table, ...hosts.filter(isUnasked).map(unaskedNote)].join('\n');
}

const unaskedRow = ({ host }: Unasked): string[] => [host, '', '', paint('red', 'cannot be asked')];
const unaskedNote = ({ host, problem }: Unasked): string => `${host}: cannot be asked: ${problem}`;

export function outcomeText(outcome: Outcome): string {
  const { rows, version, status, problem, evidence, started, ended } = outcome;
  const table = rows.map(({ host, service, from, to, outcome: how, start, end }) => [
    host,
    service,
    from,
    to,
    how === 'unchanged' ? '' : elapsed(end - start),
    coloured(how),
  ]);
  return [
    columns(['HOST', 'SERVICE', 'OLD', 'NEW', 'TIME', 'OUTCOME'], table),
    `${version}: ${coloured(status)} in ${elapsed(ended - started)}`,
    ...(problem === undefined ? [] : [problem]),
    ...(evidence === undefined ? [] : evidenceLines(evidence)),
  ].join('\n');
}

/** What is known of the container that failed. */
function evidenceLines(evidence: Evidence): string[] {
  const {
    host,
    service,
    slot,
    status,
    exitCode,
    outOfMemory,
    restarts,
    lastHealth,
    listening,
    log,
  } = evidence;
  const memory = outOfMemory ? 'out of memory, ' : '';
  return [
    `${service}-${slot} on ${host}: ${status}, exit code ${exitCode}, ${memory}${restarts} restarts`,
    `Listens on: ${listening.join(', ') || '–'}`,
    `Last health check: ${lastHealth || 'none'}`,
    'Last lines of its log:',
    log,
  ];
}

export function previewText({ release, hosts }: Preview): string {
  return [
    columns(['HOST', 'SERVICE', 'OLD', 'NEW', 'STEPS'], previewRows(hosts)),
    ...hosts.flatMap((host) => [
      ...host.differences.flatMap(({ file, difference }) => [
        paint('bold', `${host.host}: ${file}`),
        difference.replaceAll(/^[-+].*$/gm, (line) =>
          paint(line.startsWith('-') ? 'red' : 'green', line),
        ),
      ]),
      ...previewNotes(host),
    ]),
    `Dry run of ${release}: nothing was touched.`,
  ].join('\n');
}

export function partText({ changed, release, says }: Part, dryRun: boolean): string {
  const verb = dryRun ? 'would change' : 'changed';
  return `${release}: ${says}${changed ? ` (${verb})` : ''}`;
}
