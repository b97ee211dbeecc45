import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Connection } from '../../ssh/connection.ts';
import { HostUnreachableError } from '../../ssh/errors.ts';
import { keyPair } from '../../ssh/key-pair.ts';
import { SshPool } from '../../ssh/pool.ts';
import { startServer, type TestServer } from '../../ssh/test/server.ts';
import { Host } from '../host.ts';
import { readHistory } from '../store.ts';

const folder = mkdtempSync(join(tmpdir(), 'compta-host-'));
let server: TestServer;
let pool: SshPool;
let host: Host;
beforeAll(async () => {
  const user = keyPair();
  const sudo = join(folder, 'sudo');
  writeFileSync(sudo, '#!/bin/sh\nshift\nexec "$@"\n');
  chmodSync(sudo, 0o755);
  const env = { ...process.env, PATH: `${folder}${delimiter}${process.env.PATH}` };
  server = await startServer(user.public, { env });
  const address = '127.0.0.1';
  const knownHosts = server.knownHosts(address);
  pool = new SshPool({ user: 'deploy', port: server.port, privateKey: user.private, knownHosts });
  host = new Host('app-1', address, () => pool.connect(address, 'app-1'));
});
afterAll(async () => {
  await pool.close();
  await server.close();
  rmSync(folder, { recursive: true });
});

/** Notes each time that it is begun, and does not end the first time. */
const script = 'echo begun >>"$1"; [ "$(wc -l <"$1")" -gt 1 ] || sleep 10; echo done';

/** Cuts every connection once the command has begun. */
async function cutOnce(file: string): Promise<void> {
  while (!existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 20));
  server.drop();
}

test('what changes nothing is asked again when the connection breaks in its midst', async () => {
  const file = join(folder, 'read');
  const [{ stdout }] = await Promise.all([
    host.read(['sh', '-c', script, 'sh', file]),
    cutOnce(file),
  ]);
  expect(stdout).toBe('done\n');
  expect(readFileSync(file, 'utf8')).toBe('begun\nbegun\n');
});

test('a server that cannot be reached is dialled once', async () => {
  let dialled = 0;
  const off = new Host('app-1', '', () => {
    dialled += 1;
    return Promise.reject(new HostUnreachableError('app-1', 'nobody is there'));
  });
  await expect(off.read(['true'])).rejects.toThrow('nobody is there');
  expect(dialled).toBe(1);
});

test('what may not be done twice is not', async () => {
  const file = join(folder, 'once');
  const doing = host.once(['sh', '-c', script, 'sh', file]);
  await Promise.all([expect(doing).rejects.toThrow('the connection was lost'), cutOnce(file)]);
  expect(readFileSync(file, 'utf8')).toBe('begun\n');
});

/** A server that takes changes without a lease. */
class Open extends Host {
  override change: Host['change'] = (command, options) => this.once(command, options);
}

test('a line is added as a whole, or not at all when the connection breaks before it is there', async () => {
  const file = join(folder, 'log');
  await new Open('app-1', '', () => pool.connect('127.0.0.1')).append(file, '{"at":"é"}');
  for (const arrives of ['', '{"at":']) {
    const cut = new Open('app-1', '', async () => {
      const connection = await pool.connect('127.0.0.1');
      const exec: Connection['exec'] = (command, options) =>
        connection.exec(command, { ...options, input: arrives });
      return { exec } as Connection;
    });
    await expect(cut.append(file, '{"at":"noon"}')).rejects.toThrow(/only a part of .* arrived/);
    expect(readFileSync(file, 'utf8')).toBe('{"at":"é"}\n');
  }
});

test('lines that are added at once are all there', async () => {
  const file = join(folder, 'crowded');
  const open = new Open('app-1', '', () => pool.connect('127.0.0.1'));
  const lines = Array.from({ length: 8 }, (_, index) => `{"line":${index}}`);
  await Promise.all(lines.map((line) => open.append(file, line)));
  const written = readFileSync(file, 'utf8').trim().split('\n');
  expect(written.toSorted()).toEqual(lines);
});

test('a line of the history that cannot be read is named, with what to do', async () => {
  class Damaged extends Host {
    override content = async () => '{"at":"noo\n';
  }
  const damaged = new Damaged('app-1', '', () => Promise.reject(new Error('nobody is there')));
  await expect(readHistory(damaged)).rejects.toThrow(
    'Line 1 of /opt/compta/history.jsonl on app-1 is no entry: remove it there, if it is but a part of one.',
  );
});
