import type { IncomingMessage } from 'node:http';
import { ApiError } from './errors.ts';

export interface ApiRequest {
  /** Values of the path's `:names`. */
  params: Record<string, string>;
  query: URLSearchParams;
  body: unknown;
}

export interface Answer {
  status: number;
  /** Sent as JSON; `undefined` sends nothing. */
  body: unknown;
}

export interface Route {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** For example `/servers/:id/actions/poweron`. */
  path: string;
  handle(request: ApiRequest): Answer | Promise<Answer>;
}

export const ok = (body: unknown): Answer => ({ status: 200, body });
export const created = (body: unknown): Answer => ({ status: 201, body });
export const noContent = (): Answer => ({ status: 204, body: undefined });

/** The number in the path. @throws ApiError `not_found` when it is none: no resource has it */
export function idOf(request: ApiRequest, name = 'id'): number {
  const text = request.params[name] ?? '';
  if (!/^\d+$/.test(text)) throw new ApiError('not_found', `no resource has the ID '${text}'`);
  return Number(text);
}

/** Finds the route of a request; literal segments win over `:names`. */
export function matcher(routes: Route[]) {
  const table = routes.map((route) => ({ route, segments: route.path.split('/') }));
  return (method: string, path: string): { route: Route; params: Record<string, string> } => {
    const segments = path.split('/');
    const matches = table
      .filter((entry) => entry.route.method === method)
      .map(({ route, segments: pattern }) => ({ route, params: match(pattern, segments) }))
      .filter((found): found is { route: Route; params: Record<string, string> } =>
        Boolean(found.params),
      )
      .sort((a, b) => Object.keys(a.params).length - Object.keys(b.params).length);
    const best = matches[0];
    if (!best) throw new ApiError('not_found', `there is no ${method} ${path}`);
    return best;
  };
}

function match(pattern: string[], segments: string[]): Record<string, string> | null {
  if (pattern.length !== segments.length) return null;
  const params: Record<string, string> = {};
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index] ?? '';
    if (part.startsWith(':')) params[part.slice(1)] = segment;
    else if (part !== segment) return null;
  }
  return params;
}

const LARGEST_BODY = 1024 * 1024;

/** Reads a JSON body; an empty one is `undefined`. @throws ApiError `json_error` */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LARGEST_BODY) throw new ApiError('json_error', 'the request body exceeds 1 MiB');
    chunks.push(chunk);
  }
  if (size === 0) return undefined;
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw new ApiError('json_error', 'the request body is not JSON');
  }
}
