import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { passGate } from '../gate.ts';
import type { Manifest } from '../manifest.ts';

let server: Server | undefined;
afterEach(() => void server?.close());

/** A load balancer whose answers come in turn, from one server and the next. */
async function answering(
  ...answers: (string | number)[]
): Promise<{ base: string; asked: string[] }> {
  const asked: string[] = [];
  server = createServer((request, response) => {
    const answer = answers[asked.length % answers.length];
    asked.push(`${request.headers.connection} ${request.url}`);
    response.statusCode = typeof answer === 'number' ? answer : 200;
    response.end(JSON.stringify({ version: answer }));
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return { base: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

const released = {
  order: ['auth', 'books', 'hidden'],
  services: { auth: { version: '2' }, books: { version: '2' }, hidden: { version: '2' } },
  versionPaths: { auth: '/api/auth/version', books: '/api/books/version' },
} as unknown as Manifest;

test('each service that tells its version is asked as often as it takes to meet every server', async () => {
  const { base, asked } = await answering('2');
  await passGate(base, released, 4, 1_000);
  // Each time on a new connection, or the load balancer would keep to one server.
  expect(asked).toEqual([
    ...Array(4).fill('close /api/auth/version'),
    ...Array(4).fill('close /api/books/version'),
  ]);
});

test('one server that has the version before is enough to fail it', async () => {
  const { base } = await answering('2', '2', '2', '1');
  await expect(passGate(base, released, 4, 600)).rejects.toThrow(
    `${base}/api/auth/version does not give auth 2 through the load balancer: it answers version 1.`,
  );
});

test.each<[string | number, string]>([
  [503, 'it answers 503'],
  ['', 'it answers version '],
])('%j is no version', async (answer, why) => {
  const { base } = await answering(answer);
  await expect(passGate(base, released, 1, 0)).rejects.toThrow(why);
});

test('an address where nobody answers is named with the reason', async () => {
  await expect(passGate('http://127.0.0.1:1', released, 1, 0)).rejects.toThrow(
    /127\.0\.0\.1:1\/api\/auth\/version does not give auth 2 .*: .+\./,
  );
});

test('a server that comes into rotation a moment later is waited for', async () => {
  const { base } = await answering('1', '2', '2', '2', '2', '2', '2');
  await passGate(base, released, 2, 5_000);
});
