import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, globalAgent, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { run } from '../../process/run.ts';
import { addressSeenBy } from '../address.ts';

/** Answers with the asker's address, and wrongly at other paths. */
let server: Server;
let url: string;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'compta-address-'));
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
  await run(['openssl', ...request, '-nodes', '-keyout', key, '-out', certificate, ...names]);
  const cert = readFileSync(certificate);
  server = createServer({ key: readFileSync(key), cert }, ({ url: path, socket }, response) => {
    if (path === '/down') response.statusCode = 503;
    response.end(path === '/page' ? '<html>' : `${socket.remoteAddress}\n`);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  globalAgent.options.ca = cert;
});
afterAll(() => {
  delete globalAgent.options.ca;
  server.close();
  rmSync(folder, { recursive: true });
});

describe('the address of this machine', () => {
  it('is what the other side sees', async () => {
    expect(await addressSeenBy(url)).toBe('127.0.0.1');
  });

  it('is not made of anything else that is answered', async () => {
    await expect(addressSeenBy(`${url}/page`)).rejects.toThrow(
      "/page answered no IPv4 address: '<html>'",
    );
    await expect(addressSeenBy(`${url}/down`)).rejects.toThrow('/down answered 503');
  });

  it('is not taken from somebody without a good certificate', async () => {
    delete globalAgent.options.ca;
    globalAgent.destroy();
    await expect(addressSeenBy(url)).rejects.toThrow(/self-signed certificate/);
  });
});
