import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

export type Handler = (
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
) => Promise<void>;

export interface Listening {
  url: string;
  close(): Promise<void>;
}

/** Serves `handler` at host:port; whatever it throws becomes a 500 with the message. */
export function listen(address: string, handler: Handler): Promise<Listening> {
  const [host = '', port = ''] = address.split(':');
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', `http://${address}`);
    handler(request, response, url).catch((error: unknown) => {
      if (!response.headersSent) json(response, 500, { message: String(error) });
      else response.destroy();
    });
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(Number(port), host, () =>
      resolve({ url: `http://${address}`, close: () => closed(server) }),
    );
  });
}

export function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

/** The whole body; at most 256 MiB, so that a runaway client cannot fill the memory. */
export async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > 256 * 1024 * 1024) throw new Error('The body is larger than 256 MiB.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
