/**
 * A client that never retries, as a process of its own: its settings come as JSON on standard input,
 * it ends on SIGTERM or after `limit` requests, and prints what it saw as JSON.
 */
import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ClientSettings {
  base: string;
  paths: readonly string[];
  /** So many at a time: quick ones on kept-alive connections, half of them POST with a body. */
  keptAlive: number;
  /** Quick ones, each on a connection of its own. */
  fresh: number;
  /** GET that take 1.5 s. */
  slow: number;
  /** POST of 1 MB. */
  uploads: number;
  limit: number;
}

export interface Seen {
  sent: number;
  /** `kind time of sending: why` of each. */
  failed: string[];
  sentByKind: Record<string, number>;
  /** Milliseconds since the epoch and how many requests were under way then. */
  inFlight: [at: number, count: number][];
}

async function play(settings: ClientSettings, ended: AbortSignal): Promise<Seen> {
  const seen: Seen = { sent: 0, failed: [], sentByKind: {}, inFlight: [] };
  let underWay = 0;
  const sampling = setInterval(() => seen.inFlight.push([Date.now(), underWay]), 50);
  const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
  const worker = async (kind: string, index: number, one: Shot, pause: number): Promise<void> => {
    for (let turn = index; !ended.aborted && seen.sent < settings.limit; turn++) {
      const at = new Date().toISOString();
      seen.sent += 1;
      seen.sentByKind[kind] = (seen.sentByKind[kind] ?? 0) + 1;
      underWay += 1;
      const path = settings.paths[turn % settings.paths.length] ?? '/';
      try {
        await shoot(new URL(path, settings.base), {
          ...one,
          post: kind === 'upload' || turn % 2 === 0 ? one.post : undefined,
        });
      } catch (error) {
        seen.failed.push(`${kind} ${at}: ${error instanceof Error ? error.message : error}`);
      }
      underWay -= 1;
      await sleep(pause);
    }
  };
  const crew = (kind: string, count: number, one: Shot, pause: number): Promise<void>[] =>
    Array.from({ length: count }, (_, index) => worker(kind, index, one, pause));
  const body = Buffer.from(JSON.stringify({ lines: 'x'.repeat(2_000) }));
  const upload = Buffer.alloc(1_000_000, 'x');
  await Promise.all([
    ...crew('kept alive', settings.keptAlive, { agent, post: body, delay: 0 }, 5),
    ...crew('fresh', settings.fresh, { agent: false, post: body, delay: 0 }, 20),
    ...crew('slow', settings.slow, { agent, delay: 1_500 }, 0),
    ...crew('upload', settings.uploads, { agent, post: upload, delay: 0 }, 100),
  ]);
  clearInterval(sampling);
  agent.destroy();
  return seen;
}

interface Shot {
  agent: Agent | false;
  post?: Buffer | false | undefined;
  delay: number;
}

function shoot(url: URL, { agent, post, delay }: Shot): Promise<void> {
  if (delay > 0) url.searchParams.set('delay', String(delay));
  return new Promise((resolve, reject) => {
    const headers = post ? { 'content-length': post.length } : {};
    const method = post ? 'POST' : 'GET';
    const sent = request(url, { agent, method, headers, timeout: 60_000 });
    sent.on('error', reject).on('timeout', () => sent.destroy(new Error('no answer in 60 s')));
    sent.on('response', (response) => {
      response.on('error', reject).on('end', () => {
        if (response.statusCode === 200) resolve();
        else reject(new Error(`status ${response.statusCode}`));
      });
      response.resume();
    });
    sent.end(post || undefined);
  });
}

if (import.meta.main) {
  const stop = new AbortController();
  process.on('SIGTERM', () => stop.abort());
  const settings = JSON.parse(await text(process.stdin)) as ClientSettings;
  process.stdout.write(JSON.stringify(await play(settings, stop.signal)));
}
