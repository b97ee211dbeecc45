import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';

/** What callback/compta_events.py writes. */
const result = z.object({
  event: z.literal('result'),
  outcome: z.enum(['ok', 'skipped', 'failed', 'ignored', 'unreachable']),
  host: z.string(),
  task: z.string(),
  path: z.string(),
  line: z.number(),
  changed: z.boolean(),
  /** Seconds since the epoch. */
  start: z.number(),
  end: z.number(),
  message: z.string().default(''),
});
const stats = z.object({ event: z.literal('stats') });
const event = z.discriminatedUnion('event', [result, stats.loose()]);
export type TaskResult = z.infer<typeof result>;

export function readEvents(file: string): TaskResult[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => event.parse(JSON.parse(line)))
    .filter((entry): entry is TaskResult => entry.event === 'result');
}

export interface HostRecap {
  ok: number;
  changed: number;
  failed: number;
  unreachable: number;
  skipped: number;
}

/** Per host, as Ansible's own recap counts: a changed task is fine too. */
export function recap(results: readonly TaskResult[]): Record<string, HostRecap> {
  const hosts: Record<string, HostRecap> = {};
  for (const { host, outcome, changed } of results) {
    const counts = hosts[host] ?? { ok: 0, changed: 0, failed: 0, unreachable: 0, skipped: 0 };
    hosts[host] = counts;
    if (outcome === 'ok' || outcome === 'ignored') counts.ok += 1;
    else counts[outcome] += 1;
    if (changed && (outcome === 'ok' || outcome === 'ignored')) counts.changed += 1;
  }
  return hosts;
}

/** Without what an attempt said of a host that a later one tried again. */
export function settled(results: readonly TaskResult[]): TaskResult[] {
  const last = new Map(results.map((entry) => [entry.host, entry]));
  return results.filter(
    (entry) => entry.outcome !== 'unreachable' || last.get(entry.host) === entry,
  );
}

/** Hosts whose last word was "unreachable", by events: exit code 4 also means a parse error. */
export function unreachableHosts(results: readonly TaskResult[]): string[] {
  const last = new Map(results.map(({ host, outcome }) => [host, outcome]));
  return [...last].filter(([, outcome]) => outcome === 'unreachable').map(([host]) => host);
}
