import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadIdentity } from '../local-cloud/identity.ts';
import type { Instance } from '../local-cloud/instance.ts';
import { trustedAuthorities } from '../local-cloud/runner-files.ts';
import { askBooks } from './books.ts';
import { withHosts } from './hosts.ts';
import { judge, readTraffic, type Verdict } from './ledger.ts';

/** The client that works while the next version is released. */
export interface Office {
  /**
   * Ends the work and holds what the client saw against the database; it goes on before that
   * until `enough` requests were made.
   */
  close(window: { start: number; end: number }, enough: number): Promise<Verdict>;
}

/** Where entries are posted to, and where they are kept. */
export interface Site {
  url: string;
  /** The database server's name; staging's when it is left out. */
  database?: string;
  /** File that is /etc/hosts for the client. */
  hosts?: string;
}

/** Clients that always wait for a slow answer: they keep more than 20 requests in flight at every instant. */
const SLOW_CLIENTS = 26;

/** @throws Error when the application does not answer within five minutes, or refuses the login. */
export async function openOffice(
  instance: Instance,
  { url, database, hosts }: Site,
  folder: string,
): Promise<Office> {
  const logFile = join(folder, 'traffic.jsonl');
  mkdirSync(folder, { recursive: true });
  const { testUser, testPassword } = loadIdentity(instance);
  const program = join(import.meta.dirname, 'traffic.ts');
  const own = [process.execPath, program, url, logFile, String(SLOW_CLIENTS)];
  const [command = '', ...argv] = withHosts(hosts, own);
  const client = spawn(command, argv, {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      ...process.env,
      NODE_EXTRA_CA_CERTS: trustedAuthorities(instance),
      SMOKE_USER: testUser,
      SMOKE_PASSWORD: testPassword,
    },
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
      return judge(readTraffic(logFile), await storedEntries(instance, database), window);
    },
  };
}

/** Entry ids in the database with how often each is there, asked at the server itself. */
async function storedEntries(instance: Instance, database?: string): Promise<Map<string, number>> {
  const asked = 'SELECT entry_id, count(*) FROM journal_entry GROUP BY entry_id;';
  const rows = await askBooks(instance, asked, database);
  return new Map(rows.map(([id = '', count = '']) => [id, Number(count)]));
}
