import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { run } from '../../lib/process/run.ts';
import { startDaemon } from './daemon.ts';

export interface Registry {
  /** host:port */
  address: string;
  username: string;
  password: string;
  /** PEM file with the authority that signed the registry's certificate. */
  authority: string;
  repositories(): Promise<string[]>;
  tags(repository: string): Promise<string[]>;
  manifest(repository: string, reference: string): Promise<{ digest: string; body: string }>;
  stop(): Promise<void>;
}

/** An address of its own, where no other connection of this machine takes a port that was found free. */
const HOST = '127.83.0.1';

/** A registry as people have one: TLS by an authority of its own, and a login, where it is not `open`. */
export async function startRegistry(folder: string, access?: 'open'): Promise<Registry> {
  const address = `${HOST}:${await freePort()}`;
  const username = 'pipeline';
  const password = 'the-right-registry-password';
  const { authority, certificate, key } = await makeCertificates(folder);
  const accounts = join(folder, 'htpasswd');
  const { stdout } = await run(['htpasswd', '-inB', '-C', '4', username], { input: password });
  writeFileSync(accounts, stdout, { mode: 0o600 });
  const data = join(folder, 'data');
  mkdirSync(data);
  const configuration = join(folder, 'config.yml');
  writeFileSync(
    configuration,
    JSON.stringify({
      version: 0.1,
      log: { level: 'warn' },
      storage: { filesystem: { rootdirectory: data } },
      http: { addr: address, tls: { certificate, key } },
      ...(access === 'open' ? {} : { auth: { htpasswd: { realm: 'test', path: accounts } } }),
    }),
  );

  const ca = readFileSync(authority);
  const ask = (path: string) =>
    new Promise<{ status: number; digest: string; body: string }>((resolve, reject) => {
      const accept = [
        'application/vnd.oci.image.manifest.v1+json',
        'application/vnd.oci.image.index.v1+json',
      ];
      const options = { ca, auth: `${username}:${password}`, headers: { accept: accept.join() } };
      get(`https://${address}/v2/${path}`, options, (response) => {
        let body = '';
        response.on('data', (chunk) => (body += chunk));
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            digest: String(response.headers['docker-content-digest']),
            body,
          }),
        );
      }).on('error', reject);
    });

  const daemon = await startDaemon(
    ['docker-registry', 'serve', configuration],
    join(folder, 'registry.log'),
    () =>
      ask('').then(
        ({ status }) => status === 200,
        () => false,
      ),
  );
  const read = async (path: string) => JSON.parse((await ask(path)).body);
  return {
    address,
    username,
    password,
    authority,
    repositories: async () => (await read('_catalog')).repositories,
    tags: async (repository) => (await read(`${repository}/tags/list`)).tags,
    manifest: (repository, reference) => ask(`${repository}/manifests/${reference}`),
    stop: daemon.stop,
  };
}

async function makeCertificates(folder: string) {
  const file = (name: string) => join(folder, name);
  for (const name of ['ca', 'server']) {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
    writeFileSync(file(`${name}.key`), pem, { mode: 0o600 });
  }
  const sign = (name: string, subject: string, ...more: string[]) =>
    run([
      ...['openssl', 'req', '-x509', '-new', '-days', '2', '-key', file(`${name}.key`)],
      ...['-out', file(`${name}.crt`), '-subj', `/CN=${subject}`, ...more],
    ]);
  await sign('ca', 'Test authority', '-addext', 'keyUsage=critical,keyCertSign,cRLSign');
  await sign(
    'server',
    HOST,
    ...['-CA', file('ca.crt'), '-CAkey', file('ca.key')],
    ...['-addext', `subjectAltName=IP:${HOST}`],
    ...['-addext', 'basicConstraints=critical,CA:FALSE'],
  );
  return { authority: file('ca.crt'), certificate: file('server.crt'), key: file('server.key') };
}

function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve) => {
    server.listen(0, HOST, () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
