import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { HttpCheck } from './inputs.ts';
import type { Check } from './result.ts';

/** Milliseconds for one answer about the version. */
const PATIENCE_MS = 5_000;

/**
 * Waits until the address answers with the expected version, so that nothing is proven of
 * the old release. A probe every half second; the last answer is in the message.
 */
export async function awaitVersion(
  baseUrl: string,
  path: string,
  expected: string,
  timeoutMs: number,
  cancelled: AbortSignal,
): Promise<Check> {
  const started = Date.now();
  let last: Answer | undefined;
  for (let left = timeoutMs; left > 0 && !cancelled.aborted; ) {
    const answer = await versionAt(`${baseUrl}${path}`, Math.min(PATIENCE_MS, left));
    // One that our own end cut short says less than the one before it.
    const cutShort = answer.said === LATE && left < PATIENCE_MS;
    last = cutShort ? (last ?? answer) : answer;
    if (last.version === expected) break;
    await sleep(500);
    left = timeoutMs - (Date.now() - started);
  }
  const holds = last?.version === expected;
  return {
    probe: 'version',
    name: `${path} says ${expected}`,
    status: holds ? 'passed' : 'failed',
    milliseconds: Date.now() - started,
    message: holds ? '' : (last?.said ?? 'nothing was asked yet'),
  };
}

interface Answer {
  version?: string;
  said: string;
}

async function versionAt(url: string, timeoutMs: number): Promise<Answer> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
    const body = z.object({ version: z.string() }).safeParse(await response.json());
    if (!body.success) return { said: `answered ${response.status} without a version` };
    const { version } = body.data;
    return { version, said: `answered ${version}` };
  } catch (error) {
    return { said: reasonOf(error) };
  }
}

export async function checkHttp(baseUrl: string, check: HttpCheck): Promise<Check> {
  const started = Date.now();
  const problem = await problemOf(baseUrl, check).catch(reasonOf);
  return {
    probe: 'http',
    name: check.name,
    status: problem === '' ? 'passed' : 'failed',
    milliseconds: Date.now() - started,
    message: problem,
  };
}

async function problemOf(baseUrl: string, check: HttpCheck): Promise<string> {
  const response = await fetch(`${baseUrl}${check.path}`, {
    method: check.method,
    headers: check.headers,
    redirect: 'manual',
    signal: AbortSignal.timeout(check.maxMs),
    ...(check.body === undefined ? {} : { body: check.body }),
  });
  const body = await response.text();
  if (response.status !== check.status) return `answered ${response.status}, not ${check.status}`;
  if (check.contains !== undefined && !body.includes(check.contains)) {
    return `the answer does not contain '${check.contains}'`;
  }
  return '';
}

const LATE = 'did not answer in time';

/** fetch() says "fetch failed" and keeps the reason in its cause. */
function reasonOf(error: unknown): string {
  if ((error as Error).name === 'TimeoutError') return LATE;
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
