import type { Touched } from './aftermath.ts';
import type { Backup, Restored } from './backup.ts';
import type { Check, RestorePoint } from './checks.ts';
import type { Served } from './fleet.ts';
import type { Finding } from './lint.ts';
import type { Pending } from './pending.ts';
import type { Rehearsal } from './rehearsal.ts';
import type { Correction } from './repair.ts';
import type { Command } from './request.ts';

/** All that is known of a run, filled as it goes on; whole also when it fails in the middle. */
export interface Report {
  command: Command;
  database: string;
  dryRun: boolean;
  /** Version of the schema; '' when it could not be asked for. */
  before: string;
  /** '' too once scripts may have been applied, until it is asked for again. */
  after: string;
  pending: Pending[];
  applied: Applied[];
  findings: Finding[];
  checks: Check[];
  served: Served[];
  corrections: Correction[];
  touched: Touched[];
  backup?: Backup;
  restorePoint?: RestorePoint;
  rehearsal?: Rehearsal;
  restored?: Restored;
  /** Backup whose restored history was held to the scripts, instead of the database's own. */
  heldBackup?: string;
  /** Copy of the history that `repair` made first. */
  historyCopy?: string;
  /** Slots of the service that were asked for their health. */
  slotsAsked?: number;
  /** What a person should look at. */
  remarks: string[];
  /** Why it failed; empty when it did not. */
  problems: string[];
  /** The way back, command by command. */
  wayBack: string[];
}

export interface Applied {
  version: string;
  description: string;
  milliseconds: number;
}

export function emptyReport(command: Command, database: string, dryRun: boolean): Report {
  return {
    ...{ command, database, dryRun, before: '', after: '' },
    ...{ pending: [], applied: [], findings: [], checks: [], served: [], corrections: [] },
    ...{ touched: [], remarks: [], problems: [], wayBack: [] },
  };
}

/** The report as a file: without the text of the scripts, which are elsewhere. */
export function reportJson(report: Report): string {
  const pending = report.pending.map(({ sql: _sql, path: _path, ...rest }) => rest);
  return `${JSON.stringify({ ...report, pending }, null, 2)}\n`;
}

/** Where a run was at work, as the workflow and a person call it. */
export interface Place {
  environment: string;
  service: string;
  /** The database server. */
  server: string;
}

/** What can be done after a failure, from least to most. */
export function wayBackFrom(report: Report, { environment, service, server }: Place): string[] {
  if (report.command === 'restore') return afterRestore(report, server);
  const { database, backup, restorePoint, applied, before, after, corrections } = report;
  const failed = corrections.filter(({ code }) => code.startsWith('FAILED'));
  const again = [
    ...failed.map(
      ({ version }) =>
        `Script ${version} ran outside a transaction, so look at what it has left, undo that, and ` +
        `let it run again with the command \`repair\` and \`repair-confirm: '${version}'\`.`,
    ),
    'Correct what failed, and run the migration again.',
  ];
  if (applied.length === 0 && before === '') return ['Nothing was changed.', ...again];
  if (applied.length === 0 && after !== '') return [`The schema is still at ${before}.`, ...again];
  const versions = applied.map(({ version, description }) => version || description).join(', ');
  return [
    applied.length === 0
      ? 'What was applied could not be asked: run the command `info`, which tells the schema.'
      : `Applied and kept: ${versions}.`,
    ...again,
    ...(backup
      ? [
          `Back to the backup, losing what was posted since: \`gh workflow run database-migration.yml ` +
            `-f environment=${environment} -f command=restore -f service=${service} -f dry-run=false ` +
            `-f backup-path=${backup.path} -f confirmation=${database}\`, or on ${server}: ` +
            `\`sudo compta-restore ${backup.path} ${database} --replace=${database}\``,
        ]
      : []),
    ...(restorePoint
      ? [
          `To the moment before the first script, losing what was posted after it: recover the ` +
            `archived WAL up to \`recovery_target_name = '${restorePoint.name}'\` (${restorePoint.lsn}).`,
        ]
      : []),
  ];
}

function afterRestore({ database, restored }: Report, server: string): string[] {
  if (!restored) {
    return [
      `When no compta-restore runs on ${server} any more, look there for a \`${database}_before_<time>\` of ` +
        `this run: \`sudo -u postgres psql --list\`. If there is none, what ${database} held is untouched; ` +
        'else the backup is in its place, and that is what it held.',
      'Correct what failed, and run the restore again.',
    ];
  }
  if (restored.previous === null) {
    return [
      `\`${restored.restored}\` is in place; there was no ${database} before. Correct what failed.`,
    ];
  }
  const { previous } = restored;
  const sql = [
    `ALTER DATABASE ${database} ALLOW_CONNECTIONS false`,
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${database}'`,
    `ALTER DATABASE ${database} RENAME TO ${previous.replace('_before', '_undone')}`,
    `ALTER DATABASE ${previous} RENAME TO ${database}`,
  ];
  return [
    `\`${restored.restored}\` is in place; what was there is kept as \`${previous}\`. Correct what failed.`,
    `Back to what was there, losing what was posted since: on ${server} \`sudo -u postgres psql -v ` +
      `ON_ERROR_STOP=1 ${sql.map((each) => `-c "${each}"`).join(' ')}\`. Then roll back to no version ` +
      'that its scripts had shut out: that would not be refused.',
  ];
}
