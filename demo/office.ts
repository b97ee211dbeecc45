import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadIdentity } from '../local-cloud/identity.ts';
import type { Instance } from '../local-cloud/instance.ts';
import { askBooks } from './books.ts';
import { judge, readTraffic, type Verdict } from './ledger.ts';

/** The client that works while the next version is released. */
export interface Office {
  /**
   * Ends the work and holds what the client saw against the database; it goes on before that
   * until `enough` requests were made.
   */
  close(window: { start: number; end: number }, enough: number): Promise<Verdict>;
}

/** Servers that came back from a restart take a while to boot and to start eight JVMs. */
const ANSWERS_WITHIN_MS = 300_000;

/** Clients that always wait for a slow answer: they keep more than 20 requests in flight at every instant. */
const SLOW_CLIENTS = 26;

/** @throws Error when the application does not answer within five minutes, or refuses the login. */
export async function openOffice(instance: Instance, url: string, folder: string): Promise<Office> {
  const logFile = join(folder, 'traffic.jsonl');
  mkdirSync(folder, { recursive: true });
  const { testUser, testPassword } = loadIdentity(instance);
  await answering(url);
  const argv = [join(import.meta.dirname, 'traffic.ts'), url, logFile, String(SLOW_CLIENTS)];
  const client = spawn(process.execPath, argv, {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, SMOKE_USER: testUser, SMOKE_PASSWORD: testPassword },
  });
  const ended = new Promise<void>((resolve) => client.once('close', () => resolve()));
  process.once('exit', () => client.kill('SIGTERM'));
  const begun = () => readTraffic(logFile).filter(({ kind }) => kind === 'slow').length;
  while (client.exitCode === null && begun() < SLOW_CLIENTS) await sleep(250);
  if (client.exitCode !== null) throw new Error(`The client could not sign in at ${url}.`);
  return {
    async close(window, enough) {
      while (client.exitCode === null && readTraffic(logFile).length < enough) await sleep(2_000);
      client.kill('SIGTERM');
      await ended;
      return judge(readTraffic(logFile), await storedEntries(instance), window);
    },
  };
}

async function answering(url: string): Promise<void> {
  const deadline = Date.now() + ANSWERS_WITHIN_MS;
  for (const service of ['auth', 'accounting']) {
    while (!(await isUp(`${url}/api/${service}/version`))) {
      if (Date.now() > deadline)
        throw new Error(`The ${service} service does not answer at ${url}.`);
      await sleep(2_000);
    }
  }
}

async function isUp(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(5_000) })).ok;
  } catch {
    return false; // nobody listens yet
  }
}

/** Entry ids in the database with how often each is there, asked at the server itself. */
async function storedEntries(instance: Instance): Promise<Map<string, number>> {
  const asked = 'SELECT entry_id, count(*) FROM journal_entry GROUP BY entry_id;';
  const rows = await askBooks(instance, asked);
  return new Map(rows.map(([id = '', count = '']) => [id, Number(count)]));
}
