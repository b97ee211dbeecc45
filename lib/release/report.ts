import {
  code,
  details,
  elapsed,
  table,
  timeline,
  type Verdict,
  verdict,
} from '../report/markdown.ts';
import type { Outcome } from './bring.ts';
import type { Evidence } from './evidence.ts';
import { describe } from './plan.ts';
import type { HostPreview, Preview } from './preview.ts';

const signs: Record<Outcome['status'], Verdict> = {
  deployed: 'passed',
  unchanged: 'unchanged',
  'rolled-back': 'failed',
  failed: 'failed',
};

/** The job summary of a deploy or a rollback. */
export function outcomeMarkdown(action: string, environment: string, outcome: Outcome): string {
  const time = elapsed(outcome.ended - outcome.started);
  const from = outcome.previousVersion === '' ? '' : ` (before: ${outcome.previousVersion})`;
  const sentence = {
    deployed: `${action} of ${outcome.version} to ${environment} in ${time}${from}`,
    unchanged: `${environment} runs ${outcome.version} already; nothing was touched`,
    'rolled-back': `${action} of ${outcome.version} to ${environment} failed; everything is back at ${outcome.previousVersion}`,
    failed: `${action} of ${outcome.version} to ${environment} failed and is not wholly rolled back`,
  }[outcome.status];
  const rows = outcome.rows.map((row) => [
    row.host,
    row.service,
    row.from || '–',
    row.to || '–',
    row.outcome === 'unchanged' ? '–' : elapsed(row.end - row.start),
    row.outcome,
  ]);
  const spans = outcome.rows
    .filter((row) => row.outcome !== 'unchanged')
    .map((row) => ({
      section: row.host,
      label: row.service,
      start: row.start,
      end: row.end,
      failed: row.outcome === 'failed',
    }));
  return [
    verdict(signs[outcome.status], sentence),
    outcome.problem === undefined ? '' : `**${outcome.problem}**`,
    outcome.evidence === undefined ? '' : evidenceMarkdown(outcome.evidence),
    table(['Host', 'Service', 'Old', 'New', 'Time', 'Outcome'], rows),
    timeline(`${action} ${outcome.version}`, spans),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

function evidenceMarkdown(evidence: Evidence): string {
  const facts = table(
    [
      'Container',
      'State',
      'Exit code',
      'Out of memory',
      'Restarts',
      'Listens on',
      'Last health check',
    ],
    [
      [
        `${evidence.host} ${evidence.service}-${evidence.slot}`,
        evidence.status,
        String(evidence.exitCode),
        evidence.outOfMemory ? 'yes' : 'no',
        String(evidence.restarts),
        evidence.listening.join(', ') || '–',
        evidence.lastHealth.slice(0, 500),
      ],
    ],
  );
  return `${facts}\n\n${details('Last lines of its log', code(evidence.log))}`;
}

/** What a dry run found: the steps, host by host and service by service, and every difference. */
export function previewMarkdown(environment: string, { release, hosts }: Preview): string {
  return [
    verdict('unchanged', `Dry run of ${release} on ${environment}: nothing was touched`),
    table(['Host', 'Service', 'Old', 'New', 'Steps'], previewRows(hosts)),
    ...hosts.flatMap((host) => [
      ...host.differences.map(({ file, difference }) =>
        details(`${host.host}: ${file}`, code(difference, 'diff')),
      ),
      ...previewNotes(host),
    ]),
  ].join('\n\n');
}

/** What would come to a host besides: names of secrets, images. */
export function previewNotes({ host, secrets, images }: HostPreview): string[] {
  return [
    ...(secrets.length === 0 ? [] : [`${host}: new or changed secrets: ${secrets.join(', ')}`]),
    ...(images.length === 0 ? [] : [`${host}: images to fetch: ${images.join(', ')}`]),
  ];
}

/** Host, service, old and new version, steps. */
export function previewRows(hosts: readonly HostPreview[]): string[][] {
  return hosts.flatMap(({ host, plan }) => [
    ...(plan.edge === 'keep' ? [] : [[host, 'caddy', '', '', plan.edge]]),
    ...plan.services.map((service) => [
      host,
      service.service,
      service.from || '–',
      service.to || '–',
      service.steps.map(describe).join('; ') || 'unchanged',
    ]),
    ...(plan.join ? [[host, '', '', '', 'back into rotation']] : []),
  ]);
}
