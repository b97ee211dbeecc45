import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { judge, readTraffic } from '../../demo/ledger.ts';
import type { Sent } from '../../demo/traffic.ts';
import { paths } from '../../lib/release/test/fixture/environment.ts';
import type { Ledger } from '../../lib/release/test/fixture/ledger.ts';
import { undone } from '../interruption.ts';
import type { ClientSettings, Load, Places, Seen } from './client.ts';
import type { Site } from './doors.ts';

/**
 * The same load for everything that is compared: some 400 requests a second, which leaves two cores time for
 * servers and releases, and for hours until its limit. The slow ones are most of what is under way.
 */
const LOAD: Load = {
  keptAlive: 24,
  fresh: 8,
  http2: 16,
  http2Connections: 4,
  slow: 400,
  uploads: 8,
  entries: 4,
  streams: 8,
  limit: 5_000_000,
};

/** Milliseconds that the clients have for some 300 handshakes on a busy machine. */
export const SETTLING = 10_000;

/** Each service by way of the gateway, which calls it by its name. */
export const PLACES: Places = {
  paths,
  entries: '/api/accounting/entries',
  streams: [
    { kind: 'events', path: '/api/events' },
    { kind: 'events', path: '/api/auth/events' },
    { kind: 'socket', path: '/api/socket' },
  ],
};

/** What the client saw, and the entries as it wrote them down. */
export interface Traffic extends Seen {
  posted: Sent[];
}

/** Starts the client; `stop` lets what is under way end. */
export function startClient(site: Site, places: Places): { stop: () => Promise<Traffic> } {
  const folder = mkdtempSync(join(tmpdir(), 'compta-client-'));
  const child = spawn(process.execPath, [join(import.meta.dirname, 'client.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const record = join(folder, 'entries.jsonl');
  const settings: ClientSettings = { site, places, load: LOAD, record };
  child.stdin.end(JSON.stringify(settings));
  const seen = text(child.stdout);
  const end = undone(async () => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  });
  return {
    async stop() {
      child.kill('SIGTERM');
      try {
        return { ...(JSON.parse(await seen) as Seen), posted: readTraffic(record) };
      } finally {
        await end();
      }
    },
  };
}

/** The fewest requests under way at any time between two moments. */
export function fewestInFlight({ inFlight }: Seen, from: number, to: number): number {
  const within = inFlight.filter(([at]) => at >= from && at <= to).map(([, count]) => count);
  return within.length === 0 ? 0 : Math.min(...within);
}

/** What became of the posted entries. */
export function entriesIn(
  { posted }: Traffic,
  { entries }: Ledger,
): { posts: number; lost: number; doubled: number } {
  const { posts, lost, doubled } = judge(posted, entries, { start: 0, end: 0 });
  return { posts, lost: lost.length, doubled: doubled.length };
}
