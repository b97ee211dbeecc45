/**
 * A client that never retries, as a process of its own: its settings come as JSON on standard input,
 * it ends on SIGTERM or after `limit` requests, and prints what it saw as JSON.
 */
import { randomUUID } from 'node:crypto';
import { openSync, writeSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Sent } from '../../demo/traffic.ts';
import {
  type StreamKind,
  type StreamsSeen,
  watchStream,
} from '../../lib/release/test/fixture/streams.ts';
import { connecting, type Door, overHttp1, overHttp2, type Site } from './doors.ts';

/** How many there are of each at a time. */
export interface Load {
  /** Quick requests on kept-alive connections, half of them POST with a body. */
  keptAlive: number;
  /** The same, each on a connection of its own. */
  fresh: number;
  /** The same over HTTP/2, on `http2Connections`. */
  http2: number;
  http2Connections: number;
  /** Requests that take {@link slowness}, half of them POST with a body. */
  slow: number;
  /** POST of 1 MB, which takes as long to send. */
  uploads: number;
  /** Journal entries: POST with an id that is written down before. */
  entries: number;
  /** Of each stream that is named. */
  streams: number;
  limit: number;
}

/** What is asked. */
export interface Places {
  paths: readonly string[];
  /** Where entries are posted to. */
  entries: string;
  streams: { kind: StreamKind; path: string }[];
}

export interface ClientSettings {
  site: Site;
  places: Places;
  load: Load;
  /** File for the entries, a line before and one after each is sent. */
  record: string;
}

export interface Seen {
  sent: number;
  /** `kind time of sending: why` of each, of streams too. */
  failed: string[];
  sentByKind: Record<string, number>;
  /** Milliseconds since the epoch and how many requests were under way then; streams do not count. */
  inFlight: [at: number, count: number][];
  streams: Record<StreamKind, Pick<StreamsSeen, 'opened' | 'closed' | 'longestGap'>>;
}

/** Milliseconds that a slow request takes: few of them end while a busy machine does not get to the client. */
const slowness = 3_000;

/** One request of a kind, the `turn`th. @returns the status. */
type Shot = (turn: number) => Promise<number>;

async function play(settings: ClientSettings, ended: AbortSignal): Promise<Seen> {
  const { site, places, load, record } = settings;
  const none = { opened: 0, closed: 0, longestGap: 0 };
  const seen: Seen = {
    sent: 0,
    failed: [],
    sentByKind: {},
    inFlight: [],
    streams: { events: { ...none }, socket: { ...none } },
  };
  let underWay = 0;
  const sampling = setInterval(() => seen.inFlight.push([Date.now(), underWay]), 50);
  const worker = async (kind: string, index: number, shot: Shot, pause: number): Promise<void> => {
    // Not in step with the others.
    await sleep(Math.random() * slowness);
    for (let turn = index; !ended.aborted && seen.sent < load.limit; turn++) {
      const at = new Date().toISOString();
      seen.sent += 1;
      seen.sentByKind[kind] = (seen.sentByKind[kind] ?? 0) + 1;
      underWay += 1;
      try {
        const status = await shot(turn);
        if (status !== 200 && status !== 201) throw new Error(`status ${status}`);
      } catch (error) {
        seen.failed.push(`${kind} ${at}: ${error instanceof Error ? error.message : error}`);
      }
      underWay -= 1;
      await sleep(pause);
    }
  };
  const crew = (
    kind: string,
    count: number,
    shot: (index: number) => Shot,
    pause: number,
  ): Promise<void>[] =>
    Array.from({ length: count }, (_, index) => worker(kind, index, shot(index), pause));

  const keptAlive = overHttp1(site, true);
  const fresh = overHttp1(site, false);
  const http2 = Array.from({ length: load.http2Connections }, () => overHttp2(site));
  const path = (turn: number): string => places.paths[turn % places.paths.length] ?? '/';
  const body = Buffer.from(JSON.stringify({ lines: 'x'.repeat(2_000) }));
  const upload = Buffer.alloc(1_000_000, 'x');
  const quick =
    (door: Door): Shot =>
    (turn) =>
      door.send(path(turn), turn % 2 === 0 ? body : undefined);
  const entry = entries(keptAlive, places.entries, record, body);
  const streams = places.streams.flatMap(({ kind, path }) =>
    Array.from({ length: load.streams }, () => {
      const target = { kind, url: new URL(path, site.base), options: connecting(site) };
      return { kind, ...watchStream(target) };
    }),
  );
  await Promise.all([
    ...crew('kept alive', load.keptAlive, () => quick(keptAlive), 200),
    ...crew('fresh', load.fresh, () => quick(fresh), 300),
    ...crew('HTTP/2', load.http2, (index) => quick(http2[index % http2.length] as Door), 200),
    ...crew(
      'slow',
      load.slow,
      () => (turn) =>
        keptAlive.send(`${path(turn)}?delay=${slowness}`, turn % 2 === 0 ? body : undefined),
      0,
    ),
    ...crew(
      'upload',
      load.uploads,
      () => (turn) => keptAlive.send(path(turn), upload, slowness),
      0,
    ),
    ...crew('entry', load.entries, () => entry, 100),
  ]);
  clearInterval(sampling);
  for (const { kind, stop } of streams) {
    const { opened, closed, failed, longestGap } = await stop();
    const all = seen.streams[kind];
    all.opened += opened;
    all.closed += closed;
    all.longestGap = Math.max(all.longestGap, longestGap);
    seen.failed.push(...failed);
  }
  for (const door of [keptAlive, fresh, ...http2]) door.close();
  return seen;
}

/** Posts entries, and writes the id of each down before it is sent. */
function entries({ send }: Door, path: string, record: string, body: Buffer): Shot {
  const file = openSync(record, 'a');
  const write = (sent: Sent): void => void writeSync(file, `${JSON.stringify(sent)}\n`);
  return async () => {
    const id = randomUUID();
    const sent: Sent = { kind: 'post', id, start: Date.now(), end: 0, status: 0, problem: '' };
    write(sent);
    try {
      sent.status = await send(`${path}?entry=${id}`, body);
      return sent.status;
    } catch (error) {
      sent.problem = error instanceof Error ? error.message : String(error);
      throw error;
    } finally {
      sent.end = Date.now();
      write(sent);
    }
  };
}

if (import.meta.main) {
  const stop = new AbortController();
  process.on('SIGTERM', () => stop.abort());
  const settings = JSON.parse(await text(process.stdin)) as ClientSettings;
  process.stdout.write(JSON.stringify(await play(settings, stop.signal)));
}
