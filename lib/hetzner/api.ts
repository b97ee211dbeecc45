import { setTimeout as sleep } from 'node:timers/promises';

/** Hetzner's API, as far as we need more of it than Terraform's provider does. */
export interface HetznerApi {
  /** @returns undefined for what is not there */
  get(path: string): Promise<unknown>;
  /** Asked again when the answer was lost, so only for what may be done twice. */
  post(path: string, body: unknown): Promise<unknown>;
  /** Asked once, whatever comes: for what is no more what is meant a moment later. */
  postOnce(path: string, body: unknown): Promise<unknown>;
  /** Nothing happens to what is not there. */
  delete(path: string): Promise<void>;
  byName(collection: string, name: string): Promise<HetznerObject | undefined>;
  byId(collection: string, id: string): Promise<HetznerObject | undefined>;
  /** Every one that the filters let through, whatever the number of pages. */
  all(collection: string, filters?: Record<string, string>): Promise<HetznerObject[]>;
}

export interface HetznerObject {
  id: number;
  labels?: Record<string, string>;
  [field: string]: unknown;
}

interface Page {
  meta?: { pagination?: { next_page: number | null } };
  [collection: string]: unknown;
}

const HETZNER = 'https://api.hetzner.cloud/v1';

/** Where the API is, as the provider itself is told; without a slash at its end. */
export function endpointOf(env: NodeJS.ProcessEnv): string {
  return (env.HCLOUD_ENDPOINT || HETZNER).replace(/\/+$/, '');
}

const ATTEMPTS = 5;
const RETRIED = new Set([429, 502, 503, 504]);

/** What Hetzner refused, or did not answer. */
export class HetznerError extends Error {
  override readonly name = 'HetznerError';
  /** Hetzner's own word for it, such as `uniqueness_error`. */
  readonly code: string | undefined;
  /** Whether the same may be answered otherwise in a moment. */
  readonly passes: boolean;
  constructor(message: string, { code, passes, cause }: Reason) {
    super(message, cause === undefined ? {} : { cause });
    this.code = code;
    this.passes = passes;
  }
}

interface Reason {
  code?: string | undefined;
  passes: boolean;
  cause?: unknown;
}

/**
 * With the endpoint that the provider itself uses. What is not answered, or will be answered
 * otherwise in a moment, is asked for again.
 */
export function hetznerApi(
  token: string,
  env: NodeJS.ProcessEnv,
  cancelled: AbortSignal,
): HetznerApi {
  const base = endpointOf(env);

  /** The whole answer: one that breaks off is none. */
  async function send(path: string, init: RequestInit) {
    const answer = await fetch(`${base}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      signal: AbortSignal.any([cancelled, AbortSignal.timeout(15_000)]),
    });
    const { ok, status, headers } = answer;
    return { ok, status, headers, text: await answer.text() };
  }

  async function ask(path: string, init: RequestInit = {}, attempts = ATTEMPTS): Promise<unknown> {
    for (let attempt = 1; ; attempt += 1) {
      const isLast = attempt === attempts;
      const answer = await send(path, init).catch((cause: unknown) => {
        if (!isLast && !cancelled.aborted) return undefined;
        throw new HetznerError(`${base}${path} did not answer (attempt ${attempt})`, {
          passes: true,
          cause,
        });
      });
      if (answer?.status === 404) return undefined;
      if (answer?.ok) return answer.text === '' ? undefined : JSON.parse(answer.text);
      if (answer && (isLast || !RETRIED.has(answer.status))) {
        const said = reasonIn(answer.text);
        throw new HetznerError(
          `${base}${path} answered ${answer.status} (attempt ${attempt})${said ? `: ${said.code}, ${said.message}` : ''}`,
          { code: said?.code, passes: RETRIED.has(answer.status) },
        );
      }
      const pause = pauseAfter(answer?.headers ?? new Headers(), attempt, Date.now());
      await sleep(pause, undefined, { signal: cancelled });
    }
  }

  return {
    get: (path) => ask(path),
    post: (path, body) => ask(path, { method: 'POST', body: JSON.stringify(body) }),
    postOnce: (path, body) => ask(path, { method: 'POST', body: JSON.stringify(body) }, 1),
    async delete(path) {
      await ask(path, { method: 'DELETE' });
    },
    async byName(collection, name) {
      const body = await ask(`/${collection}?name=${encodeURIComponent(name)}`);
      return (body as Record<string, HetznerObject[]> | undefined)?.[collection]?.[0];
    },
    async all(collection, filters = {}) {
      const found: HetznerObject[] = [];
      for (let page: number | null = 1; page !== null; ) {
        const query = new URLSearchParams({ ...filters, per_page: '50', page: String(page) });
        const body = (await ask(`/${collection}?${query}`)) as Page | undefined;
        found.push(...((body?.[collection] ?? []) as HetznerObject[]));
        page = body?.meta?.pagination?.next_page ?? null;
      }
      return found;
    },
    async byId(collection, id) {
      const body = await ask(`/${collection}/${encodeURIComponent(id)}`);
      return (body as Record<string, HetznerObject> | undefined)?.[collection.replace(/s$/, '')];
    },
  };
}

/** What Hetzner says to a refusal, such as `token_readonly`, "only allowed for write tokens". */
function reasonIn(text: string): { code: string; message: string } | undefined {
  try {
    return (JSON.parse(text) as { error?: { code: string; message: string } }).error;
  } catch {
    return undefined; // A gateway's page.
  }
}

const LONGEST_PAUSE_MS = 60_000;

/**
 * How long to wait before asking again. Hetzner gives its budget back one request at a time
 * (`RateLimit-Limit` an hour), and all of it by `RateLimit-Reset` (Unix seconds).
 *
 * @returns milliseconds
 */
export function pauseAfter(headers: Headers, attempt: number, now: number): number {
  const said = (name: string) => (headers.has(name) ? Number(headers.get(name)) : Number.NaN);
  const backoff = 250 * 2 ** attempt;
  const retryAfter = said('Retry-After') * 1_000;
  if (Number.isFinite(retryAfter)) return Math.min(retryAfter, LONGEST_PAUSE_MS);
  if (said('RateLimit-Remaining') > 0) return backoff;
  const oneRequest = (3_600_000 / said('RateLimit-Limit')) * attempt;
  const untilReset = Math.max(0, said('RateLimit-Reset') * 1_000 - now);
  const known = [oneRequest, untilReset].filter(Number.isFinite);
  if (known.length === 0) return backoff;
  return Math.min(Math.max(backoff, Math.min(...known)), LONGEST_PAUSE_MS);
}
