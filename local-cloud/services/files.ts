import { createReadStream, statSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { gatewayAddress, type Instance } from '../instance.ts';
import { type Listening, listen } from './http.ts';

export function filesAddress(instance: Instance): string {
  return `${gatewayAddress(instance)}:8088`;
}

/** Read-only folders over HTTP: the package repository and the binaries servers install. */
export function serveFiles(address: string, folders: Record<string, string>): Promise<Listening> {
  return listen(address, async (request, response, url) => {
    const path = normalize(decodeURIComponent(url.pathname));
    const [, top = '', ...rest] = path.split('/');
    const folder = folders[top];
    const file = folder === undefined ? undefined : join(folder, ...rest);
    const size = file === undefined ? undefined : sizeOf(file);
    if (file === undefined || size === undefined) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-length': size });
    if (request.method === 'HEAD') response.end();
    else await pipeline(createReadStream(file), response);
  });
}

function sizeOf(file: string): number | undefined {
  const found = statSync(file, { throwIfNoEntry: false });
  return found?.isFile() ? found.size : undefined;
}
