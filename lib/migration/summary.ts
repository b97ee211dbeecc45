import { code, details, elapsed, table, type Verdict, verdict } from '../report/markdown.ts';
import type { Backup } from './backup.ts';
import type { Rehearsal } from './rehearsal.ts';
import { explain } from './repair.ts';
import type { Report } from './report.ts';

/** The job summary: the verdict first, then what a person would ask next. */
export function summary(report: Report): string {
  const { pending, applied, problems, remarks, wayBack, backup, restorePoint } = report;
  const parts = [
    verdict(...sentence(report)),
    list(problems),
    section('The way back', list(wayBack)),
    section('Worth a look', list(remarks)),
    applied.length > 0 ? appliedTable(report) : pending.length > 0 ? pendingTable(report) : '',
    report.restored ? restoredLine(report) : '',
    backup ? backupLine(backup) : '',
    restorePoint ? `**Restore point:** \`${restorePoint.name}\` at \`${restorePoint.lsn}\`` : '',
    report.corrections.length > 0 && report.command === 'repair' ? corrections(report) : '',
    report.rehearsal ? rehearsal(report.rehearsal) : '',
    touched(report),
    before(report),
    findings(report),
    ...(report.dryRun || report.command === 'info'
      ? pending.map(({ file, sql }) => details(file, code(sql, 'sql')))
      : []),
  ];
  return parts.filter((part) => part !== '').join('\n\n');
}

function sentence(report: Report): [Verdict, string] {
  const { command, database, pending, applied, problems, before, after } = report;
  if (problems.length > 0)
    return ['failed', `${database}: ${command} failed, schema ${after || '?'}`];
  if (command === 'backup') return ['passed', `${database}: backed up`];
  if (report.restored) return ['passed', `${database}: restored`];
  if (report.historyCopy) return ['passed', `${database}: history corrected, schema ${after}`];
  if (applied.length > 0) {
    const scripts = applied.length === 1 ? '1 script' : `${applied.length} scripts`;
    return ['passed', `${database}: ${scripts} applied, schema ${before} → ${after}`];
  }
  if (report.heldBackup !== undefined) {
    const newer = pending.length === 0 ? '' : `, ${pending.length} pending since`;
    return [
      'passed',
      `${database}: schema ${before} in ${report.heldBackup} fits the scripts${newer}`,
    ];
  }
  if (pending.length === 0) return ['unchanged', `${database}: schema ${before} is current`];
  const scripts = pending.length === 1 ? '1 script' : `${pending.length} scripts`;
  const why = report.dryRun ? 'dry run, nothing was changed' : command;
  return ['warning', `${database}: ${scripts} pending (${why})`];
}

function appliedTable({ applied, pending }: Report): string {
  const rows = pending.map(({ version, description, intent }) => {
    const found = applied.find(
      (each) => each.version === version && each.description === description,
    );
    const time = found ? elapsed(found.milliseconds) : 'not applied';
    return [version, description, intent?.kind ?? '', time];
  });
  return table(['version', 'script', 'schema', 'time'], rows);
}

function pendingTable({ pending }: Report): string {
  const rows = pending.map(({ version, description, intent, outside }) => [
    version,
    description,
    intent === undefined
      ? 'does not say'
      : intent.kind === 'expand'
        ? 'expands'
        : `contracts, safe since ${intent.since}`,
    outside ? 'a run of its own' : '',
  ]);
  return table(['version', 'script', 'schema', 'outside a transaction'], rows);
}

/** Says which proof the backup has. */
function backupLine({ path, proof, tables, seconds, sha256 }: Backup): string {
  const rows = Object.values(tables).reduce((sum, count) => sum + count, 0);
  return (
    `**Backup:** \`${path}\`, ${proof.replaceAll('-', ' ')} in ${seconds} s ` +
    `(${Object.keys(tables).length} tables, ${rows} rows, sha256 \`${sha256.slice(0, 12)}…\`)`
  );
}

function restoredLine({ restored }: Report): string {
  const aside = restored?.previous ? `; what was there is kept as \`${restored.previous}\`` : '';
  return `**Restored** \`${restored?.restored}\` in ${restored?.seconds} s${aside}`;
}

function corrections({ corrections, historyCopy }: Report): string {
  const kept = historyCopy ? `\n\nThe history before is kept as \`${historyCopy}\`.` : '';
  return `**repair**\n\n${list(corrections.map(explain))}${kept}`;
}

function rehearsal({ backup, restoreSeconds, scripts }: Rehearsal): string {
  const rows = scripts.flatMap(({ file, milliseconds, locks }) =>
    locks.length === 0
      ? [[file, elapsed(milliseconds), '–', '–', 'nobody']]
      : locks.map(({ table: name, mode, heldMs, blocks }, index) => [
          index === 0 ? file : '',
          index === 0 ? elapsed(milliseconds) : '',
          `${name}: ${mode.replace(/Lock$/, '')}`,
          heldMs < 100 ? 'under 0.1 s' : elapsed(heldMs),
          blocks,
        ]),
  );
  return [
    `**Rehearsed** on a copy restored from \`${backup}\` in ${restoreSeconds} s`,
    table(['script', 'took', 'lock', 'held for', 'would have blocked'], rows),
  ].join('\n\n');
}

function touched(report: Report): string {
  if (report.touched.length === 0) return '';
  const rows = report.touched.map(({ table: name, rowsBefore, rowsAfter, columns, notValid }) => [
    name,
    rowsBefore === undefined ? '–' : String(rowsBefore),
    rowsAfter === undefined ? 'gone' : String(rowsAfter),
    String(columns),
    notValid.join(', ') || 'all',
  ]);
  const health =
    report.slotsAsked === undefined
      ? ''
      : report.slotsAsked === 0
        ? '\n\nNo instance of the service runs yet.'
        : `\n\n${report.slotsAsked} instances of the service were asked for their health.`;
  return (
    table(['table', 'rows in the backup', 'rows now', 'columns', 'constraints valid'], rows) +
    health
  );
}

function before({ checks, served }: Report): string {
  if (checks.length + served.length === 0) return '';
  const body = [
    table(
      ['check', 'found', 'limit'],
      checks.map(({ what, found, limit, problem }) => [
        `${problem ? '❌' : '✅'} ${what}`,
        found,
        limit,
      ]),
    ),
    ...(served.length > 0
      ? [
          table(
            ['server', '', 'release'],
            served.map(({ host, role, version }) => [host, role, version]),
          ),
        ]
      : []),
  ];
  return details('Checked before', body.join('\n\n'));
}

function findings({ findings: found }: Report): string {
  if (found.length === 0) return '';
  const rows = found.map(({ file, line, rule, message }) => [`${file}:${line}`, rule, message]);
  return details(`${found.length} findings in the scripts`, table(['where', 'rule', 'what'], rows));
}

function section(title: string, body: string): string {
  return body === '' ? '' : `**${title}**\n\n${body}`;
}

function list(lines: readonly string[]): string {
  return lines.map((line) => `- ${line.replaceAll('\n', '<br>')}`).join('\n');
}
