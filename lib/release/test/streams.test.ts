import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, describe, expect, test } from '@jest/globals';
import { type StreamKind, type StreamsSeen, watchStream } from './fixture/streams.ts';

let server: Server | undefined;
afterEach(() => void server?.close());

/** How each stream ends, in turn; one more stays open. */
type End = (socket: Duplex) => void;
const cut: End = (socket) => socket.destroy();
const lastChunk: End = (socket) => socket.end('0\r\n\r\n');
const halfAnEvent: End = (socket) => socket.end('6\r\ndata: \r\n0\r\n\r\n');
const closeFrame = (code: number): End => {
  return (socket) => socket.end(Buffer.from([0x88, 2, code >> 8, code & 0xff]));
};

/** What a client sees of streams that say `1` and end so. */
async function watched(kind: StreamKind, ends: End[]): Promise<StreamsSeen> {
  const left = [...ends];
  const finish = (socket: Duplex, message: string | Buffer): void => {
    socket.on('error', () => {});
    socket.write(message);
    const end = left.shift();
    if (end !== undefined) setTimeout(() => end(socket), 20);
    else setTimeout(() => watch.stop().then(seen), 20);
  };
  server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
    if (response.socket) finish(response.socket, '9\r\ndata: 1\n\n\r\n');
  });
  server.on('upgrade', (_request, socket) => {
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    );
    finish(socket, Buffer.from([0x81, 1, 0x31]));
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const { promise, resolve: seen } = Promise.withResolvers<StreamsSeen>();
  const watch = watchStream({ kind, url: new URL(`http://127.0.0.1:${port}`) });
  return promise;
}

describe('a stream that ends', () => {
  test.each<[string, StreamKind, End]>([
    ['events with their last chunk', 'events', lastChunk],
    ['a websocket that says it is going away', 'socket', closeFrame(1001)],
    ['a websocket that says it starts anew', 'socket', closeFrame(1012)],
  ])('well: %s', async (_what, kind, end) => {
    const seen = await watched(kind, [end]);
    expect(seen).toMatchObject({ opened: 2, closed: 1, failed: [], versions: ['1'] });
  });

  test.each<[string, StreamKind, End, string]>([
    ['events that are cut', 'events', cut, 'aborted'],
    ['events that end in the middle of one', 'events', halfAnEvent, 'in the middle of an event'],
    ['a websocket that is cut', 'socket', cut, 'cut without a close'],
    ['a websocket that is closed for an error', 'socket', closeFrame(1011), 'closed with 1011'],
  ])('badly: %s', async (_what, kind, end, why) => {
    const seen = await watched(kind, [end]);
    expect(seen).toMatchObject({ opened: 2, closed: 0, failed: [expect.stringContaining(why)] });
  });
});
