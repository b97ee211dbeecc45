import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Entry {
  key: string;
  version: string;
  parts: Buffer[];
  committed: boolean;
}

/** GitHub's cache service as @actions/cache and BuildKit ask it: reserve, upload in parts, commit, find. */
export async function startCacheService() {
  const entries: Entry[] = [];
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', `http://${request.headers.host}`);
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = Buffer.concat(parts);
    const answer = (status: number, value?: unknown) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(value === undefined ? undefined : JSON.stringify(value));
    };
    const [, path = '', id] =
      /^\/_apis\/artifactcache\/(cache|caches|blobs)(?:\/(\d+))?$/.exec(url.pathname) ?? [];
    // The client takes 0 for no number.
    const entry = entries[Number(id) - 1];
    if (path === 'blobs' && entry) return response.end(Buffer.concat(entry.parts));
    if (path === 'cache') {
      const version = url.searchParams.get('version');
      const keys = (url.searchParams.get('keys') ?? '').split(',');
      // The newest that begins with the key, as GitHub finds them.
      const found = entries.findLastIndex(
        (e) => e.committed && e.version === version && keys.some((key) => e.key.startsWith(key)),
      );
      if (found < 0) return answer(204);
      const archiveLocation = new URL(`/_apis/artifactcache/blobs/${found + 1}`, url).href;
      return answer(200, { cacheKey: entries[found]?.key, archiveLocation });
    }
    if (request.method === 'POST' && entry === undefined) {
      const { key, version } = JSON.parse(body.toString()) as { key: string; version: string };
      entries.push({ key, version, parts: [], committed: false });
      return answer(201, { cacheId: entries.length });
    }
    if (!entry) return answer(404, {});
    if (request.method === 'PATCH') entry.parts.push(body);
    else entry.committed = true;
    return answer(204);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    entries,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () => server.close(),
  };
}
