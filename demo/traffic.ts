/**
 * An accountant's office that never stops: posts journal entries through the load balancer
 * while a release is rolled out, and writes down everything it did.
 *
 *   node demo/traffic.ts <base url> <log file> <slow clients>      (SMOKE_USER, SMOKE_PASSWORD)
 *
 * It stands outside the servers, speaks HTTP/1.1 over kept-alive connections, never retries,
 * and writes an entry's id down before it sends it. Ends by SIGTERM, or after an hour.
 */
import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import * as http from 'node:http';
import * as https from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';

/** One line of the log; `status` 0 is a connection that failed. */
export interface Sent {
  kind: 'post' | 'read' | 'slow';
  id: string;
  start: number;
  end: number;
  status: number;
  problem: string;
}

/** They do the work, while the slow ones always have a request in flight. */
const QUICK_CLIENTS = 8;
const SLOW_MS = 2_500;
const PAUSE_MS = 250;
/** Servers that came back from a restart take a while to boot and to start eight JVMs. */
const ANSWERS_WITHIN_MS = 300_000;
const LONGEST_MS = 3_600_000;

const [baseUrl = '', logFile = '', slow = ''] = process.argv.slice(2);
const slowClients = Number(slow);
const { Agent, request } = baseUrl.startsWith('https:') ? https : http;
const log = createWriteStream(logFile, { flags: 'a' });
let running = true;
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => (running = false));
setTimeout(() => (running = false), LONGEST_MS).unref();

await answering();
const token = await signIn();
await Promise.all([
  ...Array.from({ length: slowClients }, (_, i) => slowClient(i)),
  ...Array.from({ length: QUICK_CLIENTS }, () => quickClient()),
]);
await new Promise((resolve) => log.end(resolve));

async function slowClient(index: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  await sleep((index * SLOW_MS) / slowClients);
  while (running) {
    await send('slow', agent, 'GET', `/api/accounting/slow?ms=${SLOW_MS}`, randomUUID());
  }
  agent.destroy();
}

/** Two posts for every read of what was posted. */
async function quickClient(): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  while (running) {
    const id = randomUUID();
    await send('post', agent, 'POST', '/api/accounting/entries', id, entry(id));
    await sleep(PAUSE_MS);
    const second = randomUUID();
    const { status } = await send(
      'post',
      agent,
      'POST',
      '/api/accounting/entries',
      second,
      entry(second),
    );
    await sleep(PAUSE_MS);
    if (status === 201)
      await send('read', agent, 'GET', `/api/accounting/entries/${second}`, second);
  }
  agent.destroy();
}

async function send(
  kind: Sent['kind'],
  agent: http.Agent,
  method: string,
  path: string,
  id: string,
  body?: object,
): Promise<Sent> {
  const sent: Sent = { kind, id, start: Date.now(), end: 0, status: 0, problem: '' };
  log.write(`${JSON.stringify(sent)}\n`);
  try {
    sent.status = await ask(agent, method, path, body);
  } catch (error) {
    sent.problem = error instanceof Error ? error.message : String(error);
    await sleep(1_000); // a client that is refused does not hammer
  }
  sent.end = Date.now();
  log.write(`${JSON.stringify(sent)}\n`);
  return sent;
}

function ask(agent: http.Agent, method: string, path: string, body?: object): Promise<number> {
  const payload = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const outgoing = request(
      new URL(path, baseUrl),
      {
        method,
        agent,
        timeout: 60_000,
        headers: {
          authorization: `Bearer ${token}`,
          ...(payload === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
        },
      },
      (response) => {
        response.resume();
        response.once('end', () => resolve(response.statusCode ?? 0));
        response.once('error', reject);
      },
    );
    outgoing.once('timeout', () => outgoing.destroy(new Error('no answer within 60 s')));
    outgoing.once('error', reject);
    outgoing.end(payload);
  });
}

async function answering(): Promise<void> {
  const deadline = Date.now() + ANSWERS_WITHIN_MS;
  for (const service of ['auth', 'accounting']) {
    while (!(await isUp(`${baseUrl}/api/${service}/version`))) {
      if (Date.now() > deadline)
        throw new Error(`The ${service} service does not answer at ${baseUrl}.`);
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

async function signIn(): Promise<string> {
  const { SMOKE_USER: username, SMOKE_PASSWORD: password } = process.env;
  const response = await fetch(`${baseUrl}/api/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username, password }),
  });
  if (!response.ok) throw new Error(`The login was answered ${response.status}.`);
  return ((await response.json()) as { token: string }).token;
}

function entry(id: string) {
  return {
    id,
    date: '2026-01-31',
    label: 'Posted during a release',
    lines: [
      { account: '411000', debit: 100, credit: 0 },
      { account: '707000', debit: 0, credit: 100 },
    ],
  };
}
