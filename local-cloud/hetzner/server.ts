import { timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { apiRoutes, type CloudOptions, openCloud } from './cloud.ts';
import { ApiError } from './errors.ts';
import type { Faults } from './faults.ts';
import { type Answer, matcher, ok, readJson } from './http.ts';
import { RateLimit } from './rate-limit.ts';
import { openRequestLog } from './request-log.ts';

/** `requests.jsonl` is written beside the world file. */
export interface HetznerApiOptions extends CloudOptions {
  /** 64 characters, as the provider demands. */
  token: string;
  /** A second token that may only read. */
  readOnlyToken?: string;
  listen: { host: string; port: number };
  /** Requests an hour; Hetzner's 3600 by default. */
  rateLimit?: number;
}

export interface HetznerApi {
  /** With the `/v1` prefix: what `HCLOUD_ENDPOINT` takes. */
  url: string;
  /** Ends requests and running work; unfinished actions go on at the next start. */
  close(): Promise<void>;
}

/** Serves the Hetzner Cloud API over the given machinery, taking up unfinished actions. */
export async function startHetznerApi(options: HetznerApiOptions): Promise<HetznerApi> {
  const cloud = openCloud(options);
  const find = matcher(apiRoutes(cloud));
  const limit = new RateLimit(options.rateLimit ?? 3600);
  const log = openRequestLog(join(dirname(options.worldFile), 'requests.jsonl'));

  const server = createServer(async (request, response) => {
    const began = performance.now();
    const answered = await answer(request).catch(failure);
    await send(response, answered, limit.headers());
    log.write({
      time: new Date().toISOString(),
      method: request.method ?? '',
      path: request.url ?? '',
      status: answered.status,
      ms: Math.round(performance.now() - began),
    });
  });

  async function answer(request: IncomingMessage): Promise<Answer> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://local');
    const method = request.method ?? 'GET';
    authorize(request, method, options);
    if (pathname === '/_faults') return answerFaults(cloud.faults, method, await readJson(request));
    await sleep(cloud.faults.latency());
    const injected = cloud.faults.nextStatus();
    if (injected === 502 || injected === 504) return { status: injected, body: undefined };
    if (injected === 429 || !limit.take()) {
      throw new ApiError('rate_limit_exceeded', 'limit of requests per hour reached');
    }
    if (!pathname.startsWith('/v1/')) throw new ApiError('not_found', 'the API is under /v1');
    const { route, params } = find(method, pathname.slice('/v1'.length));
    const body = await readJson(request);
    try {
      const answered = await route.handle({ params, query: searchParams, body });
      if (cloud.faults.losesAnswer(method)) request.socket.destroy();
      return answered;
    } finally {
      // On disk before the client knows: a restart then forgets nothing it was told.
      if (method !== 'GET') cloud.save();
    }
  }

  async function close(): Promise<void> {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await cloud.actions.close();
    cloud.save();
    await log.close();
  }

  // The port comes first: a second process fails on it before it touches the hardware.
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.listen.port, options.listen.host, resolve);
  });
  try {
    await cloud.policies.enforce();
  } catch (cause) {
    await close();
    throw new Error('firewalls and load balancers could not be enforced', { cause });
  }
  cloud.actions.resume();
  const { address, port } = server.address() as AddressInfo;
  return { url: `http://${address}:${port}/v1`, close };
}

function answerFaults(faults: Faults, method: string, body: unknown): Answer {
  if (method === 'POST') return ok({ faults: faults.replace(body) });
  if (method === 'DELETE') return ok({ faults: faults.replace({}) });
  return ok({ faults: faults.plan });
}

/** @throws ApiError `unauthorized` or `token_readonly` */
function authorize(request: IncomingMessage, method: string, options: HetznerApiOptions): void {
  const given = request.headers.authorization?.replace(/^Bearer /, '') ?? '';
  if (isSame(given, options.token)) return;
  if (options.readOnlyToken && isSame(given, options.readOnlyToken)) {
    if (method === 'GET') return;
    throw new ApiError('token_readonly', 'the token is only allowed to perform GET requests');
  }
  throw new ApiError('unauthorized', 'the token you provided is invalid');
}

function isSame(given: string, token: string): boolean {
  const a = Buffer.from(given);
  const b = Buffer.from(token);
  return a.length === b.length && timingSafeEqual(a, b);
}

function failure(error: unknown): Answer {
  const known =
    error instanceof ApiError
      ? error
      : new ApiError('server_error', error instanceof Error ? error.message : String(error));
  const { code, message, details, status } = known;
  return { status, body: { error: { code, message, details } } };
}

function send(
  response: ServerResponse,
  { status, body }: Answer,
  headers: Record<string, string>,
): Promise<void> {
  return new Promise((resolve) => {
    response.on('close', resolve);
    response.writeHead(status, {
      ...headers,
      ...(body !== undefined && { 'Content-Type': 'application/json' }),
    });
    response.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
