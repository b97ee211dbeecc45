import { z } from 'zod';

/** What callback/compta_events.py writes. */
const started = z.object({ event: z.literal('start'), host: z.string(), task: z.string() });
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
const stats = z.object({
  event: z.literal('stats'),
  hosts: z.record(z.string(), z.object({ rescued: z.number() })),
});
const end = z.object({ event: z.literal('end'), complete: z.boolean() });
const event = z.discriminatedUnion('event', [started, result, stats, end]);
type Event = z.infer<typeof event>;
export type TaskResult = Omit<z.infer<typeof result>, 'event' | 'outcome'> & {
  outcome: z.infer<typeof result>['outcome'] | 'rescued';
};

/** One run of ansible-playbook. */
export interface Attempt {
  results: TaskResult[];
  /** What had begun and never ended: where a run stood that was stopped. */
  open: { host: string; task: string }[];
  /** Whether the playbook came to its end on all hosts but those that were lost; no if not known. */
  complete: boolean;
}

/** Of an Ansible that was killed, or whose disk is full, the last line may be but a part. */
export function parseEvents(text: string): Attempt {
  const events = text
    .split('\n')
    .slice(0, -1)
    .map((line): Event => event.parse(JSON.parse(line)));
  const open = new Map<string, { host: string; task: string }>();
  for (const { event: kind, ...entry } of events) {
    if (kind === 'start' && 'task' in entry) open.set(entry.host, entry);
    if (kind === 'result' && 'host' in entry) open.delete(entry.host);
  }
  const results = events.filter((entry) => entry.event === 'result');
  const rescued = events.find((entry) => entry.event === 'stats')?.hosts ?? {};
  const complete = events.find((entry) => entry.event === 'end')?.complete ?? false;
  return { results: withRescued(results, rescued), open: [...open.values()], complete };
}

/** Ansible counts them in the end only: a host goes on after a rescue, so its first failures. */
function withRescued(
  results: readonly z.infer<typeof result>[],
  hosts: Record<string, { rescued: number }>,
): TaskResult[] {
  const left = new Map(Object.entries(hosts).map(([host, { rescued }]) => [host, rescued]));
  return results.map(({ event: _, ...entry }) => {
    const more = left.get(entry.host) ?? 0;
    if (entry.outcome !== 'failed' || more === 0) return entry;
    left.set(entry.host, more - 1);
    return { ...entry, outcome: 'rescued' };
  });
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
    else if (outcome !== 'rescued') counts[outcome] += 1;
    if (changed && (outcome === 'ok' || outcome === 'ignored')) counts.changed += 1;
  }
  return hosts;
}

/** The last attempt on each host, after what the ones before it had changed there. */
export function settled(attempts: readonly Attempt[]): TaskResult[] {
  return attempts.flatMap(({ results }, index) => {
    const later = new Set(attempts.slice(index + 1).flatMap((next) => next.results.map(hostOf)));
    return results.filter((entry) => !later.has(entry.host) || changedSomething(entry));
  });
}

const hostOf = ({ host }: TaskResult) => host;
const changedSomething = ({ changed, outcome }: TaskResult) => changed && outcome === 'ok';

/** Whose last word was "unreachable", by events: exit code 4 also means a parse error. */
export function unreachable(results: readonly TaskResult[]): TaskResult[] {
  const last = new Map(results.map((entry) => [entry.host, entry]));
  return [...last.values()].filter(({ outcome }) => outcome === 'unreachable');
}
