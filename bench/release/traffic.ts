import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { ClientSettings, Seen } from './client.ts';

/** The same load for everything that is compared. */
const LOAD = { keptAlive: 24, fresh: 8, slow: 200, uploads: 2, limit: 2_000_000 };

/** Starts the client; `stop` lets what is under way end. */
export function startClient(base: string, paths: readonly string[]): { stop: () => Promise<Seen> } {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'client.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const settings: ClientSettings = { base, paths, ...LOAD };
  child.stdin.end(JSON.stringify(settings));
  const seen = text(child.stdout);
  return {
    async stop() {
      child.kill('SIGTERM');
      return JSON.parse(await seen) as Seen;
    },
  };
}

/** The fewest requests under way at any time between two moments. */
export function fewestInFlight({ inFlight }: Seen, from: number, to: number): number {
  const within = inFlight.filter(([at]) => at >= from && at <= to).map(([, count]) => count);
  return within.length === 0 ? 0 : Math.min(...within);
}
