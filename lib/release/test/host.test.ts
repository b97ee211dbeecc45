import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { keyPair } from '../../ssh/key-pair.ts';
import { SshPool } from '../../ssh/pool.ts';
import { startServer, type TestServer } from '../../ssh/test/server.ts';
import { Host } from '../host.ts';

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
const script = 'echo begun >>"$1"; [ "$(wc -l <"$1")" -gt 1 ] || sleep 1; echo done';

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

test('what may not be done twice is not', async () => {
  const file = join(folder, 'once');
  const doing = host.once(['sh', '-c', script, 'sh', file]);
  await Promise.all([expect(doing).rejects.toThrow('the connection was lost'), cutOnce(file)]);
  expect(readFileSync(file, 'utf8')).toBe('begun\n');
});
