import { connect, createServer, type Socket } from 'node:net';

/** A port of loopback in front of another one, which can be shut like a server that goes down. */
export interface Gate {
  /** Connections that were let through. */
  passed(): number;
  shut(): void;
  open(): void;
  close(): Promise<void>;
}

/** @param refuse how many connections are turned away before one is let through */
export async function startGate(port: number, target: number, refuse = 0): Promise<Gate> {
  const sockets = new Set<Socket>();
  let shut = false;
  let [turnedAway, passed] = [0, 0];
  const server = createServer((client) => {
    client.on('error', () => client.destroy());
    if (shut || turnedAway < refuse) {
      turnedAway += 1;
      client.destroy();
      return;
    }
    passed += 1;
    const upstream = connect(target, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket)).on('error', () => socket.destroy());
    }
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((listening) => server.listen(port, '127.0.0.1', listening));
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    passed: () => passed,
    shut() {
      shut = true;
      cut();
    },
    open() {
      shut = false;
    },
    async close() {
      cut();
      await new Promise((closed) => server.close(closed));
    },
  };
}
