import { existsSync, readFileSync } from 'node:fs';
import type { Sent } from './traffic.ts';

/** What the client saw, held against what the database has. */
export interface Verdict {
  requests: number;
  posts: number;
  /** Answers other than the one that was due, and connections that broke. */
  failed: Sent[];
  /** Acknowledged with 201, and not in the database. */
  lost: string[];
  /** In the database more than once. */
  doubled: string[];
  /** The smallest number of requests in flight within the window. */
  leastInFlight: number;
}

/**
 * What the client did so far; nothing before its first request. Later lines of the same request
 * replace earlier ones: the first is written before it is sent.
 */
export function readTraffic(file: string): Sent[] {
  const requests = new Map<string, Sent>();
  if (!existsSync(file)) return [];
  const text = readFileSync(file, 'utf8');
  // The client may be in the middle of its last line.
  for (const line of text.slice(0, text.lastIndexOf('\n') + 1).split('\n')) {
    if (line === '') continue;
    const sent = JSON.parse(line) as Sent;
    requests.set(`${sent.kind} ${sent.id}`, sent);
  }
  return [...requests.values()];
}

const DUE = { post: 201, read: 200, slow: 200 };

/** `stored`: entry id → how often it is in the database. `window`: milliseconds since the epoch. */
export function judge(
  requests: readonly Sent[],
  stored: ReadonlyMap<string, number>,
  window: { start: number; end: number },
): Verdict {
  const posts = requests.filter(({ kind }) => kind === 'post');
  const acknowledged = posts.filter(({ status }) => status === 201);
  return {
    requests: requests.length,
    posts: posts.length,
    failed: requests.filter(({ kind, status }) => status !== DUE[kind]),
    lost: acknowledged.filter(({ id }) => !stored.has(id)).map(({ id }) => id),
    doubled: posts.filter(({ id }) => (stored.get(id) ?? 0) > 1).map(({ id }) => id),
    leastInFlight: leastInFlight(requests, window),
  };
}

/** Sweeps over starts and ends in order of time. */
export function leastInFlight(
  requests: readonly Pick<Sent, 'start' | 'end'>[],
  window: { start: number; end: number },
): number {
  const events = requests
    .flatMap(({ start, end }) => [
      { time: start, step: 1 },
      { time: end, step: -1 },
    ])
    // A client's next request may start in the millisecond in which its last one ended.
    .sort((a, b) => a.time - b.time || b.step - a.step);
  let inFlight = 0;
  let least = Number.POSITIVE_INFINITY;
  for (const { time, step } of events) {
    inFlight += step;
    if (time >= window.start && time <= window.end) least = Math.min(least, inFlight);
  }
  return Number.isFinite(least) ? least : 0;
}
