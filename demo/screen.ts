import { elapsed } from '../lib/report/markdown.ts';
import type { Verdict } from './ledger.ts';
import type { JobRecord } from './progress.ts';

export interface Outcome {
  succeeded: boolean;
  version: string;
  milliseconds: number;
  url: string | undefined;
  /** What the cloud has: kind, in the singular → count. */
  created: Record<string, number>;
  jobs: readonly JobRecord[];
  traffic: Verdict | undefined;
}

/** Day of the catalogue that the local cloud serves; see local-cloud/hetzner. */
const PRICES_OF = '2026-09-04';

/** What the plan's own summary says that everything costs a month, in net euros. */
function monthlyCost(jobs: readonly JobRecord[]): string | undefined {
  const summaries = jobs.flatMap((job) => job.summaries).join('\n');
  return /Monthly cost: .*?→ ([\d.]+) EUR/.exec(summaries)?.[1];
}

/** The one screen at the end. */
export function screen(outcome: Outcome): string[] {
  const { succeeded, version, milliseconds, url, created, jobs, traffic } = outcome;
  const cost = monthlyCost(jobs);
  const sentence = succeeded
    ? `✅ COMPTA ${version} is released, after ${elapsed(milliseconds)}`
    : `❌ COMPTA ${version} was not released (${elapsed(milliseconds)})`;
  const kinds = Object.entries(created).map(
    ([kind, count]) => `${count} ${kind}${count === 1 ? '' : 's'}`,
  );
  return [
    sentence,
    '',
    ...(url ? [`  application   ${url}`] : []),
    `  created       ${kinds.join(', ')}`,
    ...(cost ? [`  would cost    ${cost} € net a month (catalogue prices of ${PRICES_OF})`] : []),
    ...(traffic ? trafficLines(traffic) : []),
    '',
    ...jobs.map((job) => {
      const sign = job.result === 'success' ? '✓' : job.result === 'failure' ? '✗' : '–';
      return `  ${sign} ${job.name.padEnd(34)} ${elapsed(job.end - job.start).padStart(13)}`;
    }),
  ];
}

function trafficLines(traffic: Verdict): string[] {
  const { requests, posts, failed, lost, doubled, leastInFlight } = traffic;
  return [
    `  meanwhile     ${requests} requests, ${posts} of them entries: ${failed.length} failed,`,
    `                ${lost.length} entries lost, ${doubled.length} doubled;`,
    `                never fewer than ${leastInFlight} requests in flight during the release`,
    ...failed.slice(0, 5).map(({ kind, status, problem, start }) => {
      const time = new Date(start).toISOString();
      return `                ✗ ${kind} at ${time}: ${problem || `answered ${status}`}`;
    }),
  ];
}
