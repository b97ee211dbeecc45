/** One side of an entry; amounts in TND with at most three decimals. */
export interface Line {
  account: string;
  debit: number;
  credit: number;
}

/** A journal entry as accounting-service takes and gives it. */
export interface Entry {
  id: string;
  date: string;
  label: string;
  lines: Line[];
}

/** What `GET /api/version` answers. */
export interface Version {
  service: string;
  version: string;
}

/** The part of application/problem+json that a person is shown. */
interface Problem {
  detail?: string;
  violations?: { field: string; message: string }[];
}

/** An answer other than 2xx; the message is meant for the person at the screen. */
export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

async function call<T>(method: string, path: string, token?: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = {};
  if (token !== undefined) headers.authorization = `Bearer ${token}`;
  if (body !== undefined) headers['content-type'] = 'application/json';
  const response = await fetch(path, {
    method,
    headers,
    body: body === undefined ? null : JSON.stringify(body),
  });
  if (!response.ok) throw new ApiError(response.status, await explain(response));
  return (await response.json()) as T;
}

async function explain(response: Response): Promise<string> {
  const problem = (await response.json().catch(() => ({}))) as Problem;
  const violations = (problem.violations ?? []).map((v) => `${v.field} ${v.message}`);
  return [problem.detail ?? `The server answered ${response.status}.`, ...violations].join(' ');
}

export const version = (): Promise<Version> => call('GET', '/api/version');

export async function login(username: string, password: string): Promise<string> {
  const answer = await call<{ token: string }>('POST', '/api/auth/login', undefined, {
    username,
    password,
  });
  return answer.token;
}

/** Posts once; whoever calls decides what a failure means, nothing here tries again. */
export const post = (token: string, entry: Entry): Promise<{ id: string }> =>
  call('POST', '/api/accounting/entries', token, entry);

/** The newest entries, newest first. */
export const entries = (token: string): Promise<Entry[]> =>
  call('GET', '/api/accounting/entries?limit=20', token);
