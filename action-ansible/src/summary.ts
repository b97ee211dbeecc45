import { relative } from 'node:path';
import {
  elapsed,
  type Span,
  table,
  timeline,
  type Verdict,
  verdict,
} from '../../lib/report/markdown.ts';
import { type HostRecap, recap, type TaskResult } from './events.ts';

export interface Outcome {
  playbook: string;
  check: boolean;
  results: readonly TaskResult[];
  ok: boolean;
  milliseconds: number;
}

/** Changes that somebody would read. */
const MOST = 50;

export function totals(hosts: Record<string, HostRecap>): HostRecap {
  const sum: HostRecap = { ok: 0, changed: 0, failed: 0, unreachable: 0, skipped: 0 };
  for (const counts of Object.values(hosts)) {
    for (const key of Object.keys(sum) as (keyof HostRecap)[]) sum[key] += counts[key];
  }
  return sum;
}

export function summary(outcome: Outcome, directory: string): string {
  const hosts = recap(outcome.results);
  const failed = outcome.results.filter(
    ({ outcome: how }) => how === 'failed' || how === 'unreachable',
  );
  const changed = outcome.results.filter((entry) => entry.changed && entry.outcome === 'ok');
  return [
    verdict(...sentence(outcome, totals(hosts))),
    '',
    table(
      ['host', 'ok', 'changed', 'failed', 'unreachable', 'skipped'],
      Object.entries(hosts).map(([host, counts]) => [
        host,
        String(counts.ok),
        String(counts.changed),
        String(counts.failed),
        String(counts.unreachable),
        String(counts.skipped),
      ]),
    ),
    ...part('What failed', failed, ['host', 'task', 'where', 'message'], (entry) => [
      entry.host,
      entry.task,
      `${relative(directory, entry.path)}:${entry.line}`,
      entry.message,
    ]),
    ...part(
      `${outcome.check ? 'What would change' : 'What changed'}${
        changed.length > MOST ? ` (the first ${MOST} of ${changed.length})` : ''
      }`,
      changed.slice(0, MOST),
      ['host', 'task'],
      (entry) => [entry.host, entry.task],
    ),
    ...part('Slowest tasks', slowest(outcome.results), ['time', 'host', 'task'], (entry) => [
      elapsed((entry.end - entry.start) * 1000),
      entry.host,
      entry.task,
    ]),
    '',
    timeline(`${outcome.playbook} by host and role`, spans(outcome.results)),
  ].join('\n');
}

function sentence(
  { playbook, check, ok, milliseconds }: Outcome,
  sum: HostRecap,
): [Verdict, string] {
  const time = elapsed(milliseconds);
  if (!ok) return ['failed', `${playbook} failed after ${time}`];
  if (check && sum.changed > 0)
    return ['warning', `${playbook}: ${sum.changed} tasks would change something`];
  if (sum.changed === 0) return ['unchanged', `${playbook}: nothing to change (${time})`];
  return ['passed', `${playbook}: ${sum.changed} tasks changed something (${time})`];
}

function part(
  title: string,
  entries: readonly TaskResult[],
  header: string[],
  row: (entry: TaskResult) => string[],
): string[] {
  return entries.length === 0 ? [] : ['', `#### ${title}`, '', table(header, entries.map(row))];
}

function slowest(results: readonly TaskResult[]): TaskResult[] {
  return results.toSorted((a, b) => b.end - b.start - (a.end - a.start)).slice(0, 10);
}

/** One bar per host and role: single tasks would be too many to read. */
function spans(results: readonly TaskResult[]): Span[] {
  const bars = new Map<string, Span>();
  for (const { host, task, start, end, outcome } of results) {
    const [role, rest] = task.split(' : ');
    const label = rest === undefined ? 'playbook' : (role ?? '');
    const bar = bars.get(`${host}/${label}`) ?? {
      section: host,
      label,
      start: start * 1000,
      end: 0,
    };
    bars.set(`${host}/${label}`, {
      ...bar,
      end: Math.max(bar.end, end * 1000),
      ...(outcome === 'failed' || bar.failed ? { failed: true } : {}),
    });
  }
  return [...bars.values()];
}
