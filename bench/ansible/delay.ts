import { connect, createServer, type Socket } from 'node:net';

/** A stretch of wire: what goes in on one side comes out on the other after a while. */
export interface Wire {
  close(): Promise<void>;
}

/** Listens at `from` and passes on to `to`, each way late by half of `roundTripMs`. */
export async function stretch(
  from: { host: string; port: number },
  to: { host: string; port: number },
  roundTripMs: number,
): Promise<Wire> {
  const open = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(to);
    for (const socket of [near, far]) {
      socket.setNoDelay(true);
      open.add(socket);
      socket.on('close', () => open.delete(socket)).on('error', () => {});
    }
    late(near, far, roundTripMs / 2);
    late(far, near, roundTripMs / 2);
  });
  await new Promise<void>((done) => server.listen(from.port, from.host, done));
  return {
    close: async () => {
      for (const socket of open) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}

/** A wire holds what is on it: many packets at once, each as late as the other. */
function late(source: Socket, target: Socket, milliseconds: number): void {
  source.on('data', (chunk) =>
    setTimeout(() => target.writable && target.write(chunk), milliseconds),
  );
  source.on('end', () => setTimeout(() => target.end(), milliseconds));
  source.on('error', () => target.destroy());
}
