import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Application {
  url: string;
  /** The version that answers from now on. */
  become(version: string): void;
  /** Paths that were asked for. */
  asked: string[];
  close(): Promise<void>;
}

/** A real HTTP server on a free loopback port, with the few routes that the checks need. */
export async function startApplication(version: string): Promise<Application> {
  let current = version;
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? '/';
    asked.push(path);
    if (path === '/slow') return; // never answered: the connection goes with the server
    if (path === '/once' && asked.filter((other) => other === path).length > 1) return;
    const body = ['/api/version', '/once'].includes(path)
      ? JSON.stringify({ version: current })
      : 'Bienvenue';
    const moved = path === '/old' ? { location: '/' } : {};
    const status = path === '/old' ? 301 : path === '/missing' ? 404 : 200;
    response.writeHead(request.method === 'POST' ? 201 : status, moved).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    become: (next) => {
      current = next;
    },
    asked,
    close: () => closed(server),
  };
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
