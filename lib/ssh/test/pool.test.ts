import { mkdtempSync, readFileSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect, createServer as listen, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import {
  AuthenticationRefusedError,
  HostKeyError,
  HostUnreachableError,
  RemoteCommandError,
  RemoteTimeoutError,
} from '../errors.ts';
import { keyPair } from '../key-pair.ts';
import { SshPool, type SshSettings } from '../pool.ts';
import { type ServerOptions, startServer, type TestServer } from './server.ts';

const user = keyPair();
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function server(options?: ServerOptions): Promise<TestServer> {
  const started = await startServer(user.public, options);
  closing.push(started.close);
  return started;
}

function pool(settings: Partial<SshSettings> & { port: number; knownHosts: string }): SshPool {
  const created = new SshPool({ user: 'deploy', privateKey: user.private, ...settings });
  closing.push(() => created.close());
  return created;
}

describe('a host that is what known_hosts says', () => {
  test('runs a command with every character of its arguments intact', async () => {
    const host = await server();
    const ssh = await pool({ port: host.port, knownHosts: host.knownHosts('127.0.0.1') }).connect(
      '127.0.0.1',
    );
    const odd = ['a b', "it's", '$HOME `id` \\ "x"', '*', '', 'é\nsecond line'];
    const result = await ssh.exec(['printf', '%s|', ...odd]);
    expect(result.stdout).toBe(odd.map((word) => `${word}|`).join(''));
  });

  test('tells the code and the last words of a command that failed', async () => {
    const host = await server();
    const ssh = await pool({ port: host.port, knownHosts: host.knownHosts('127.0.0.1') }).connect(
      '127.0.0.1',
      'app-1',
    );
    const failing = ssh.exec(['sh', '-c', 'echo no such image >&2; exit 7']);
    await expect(failing).rejects.toThrow(RemoteCommandError);
    await expect(failing).rejects.toThrow(/On app-1, .* ended with code 7: no such image/);
    const allowed = await ssh.exec(['sh', '-c', 'exit 7'], { allowFailure: true });
    expect(allowed.code).toBe(7);
  });

  test('hands over input, and lines as they come', async () => {
    const host = await server();
    const ssh = await pool({ port: host.port, knownHosts: host.knownHosts('127.0.0.1') }).connect(
      '127.0.0.1',
    );
    const lines: string[] = [];
    await ssh.exec(['cat'], { input: 'one\ntwo\n', onLine: (line) => lines.push(line) });
    expect(lines).toEqual(['one', 'two']);
  });

  test('does not wait for ever', async () => {
    const host = await server();
    const ssh = await pool({ port: host.port, knownHosts: host.knownHosts('127.0.0.1') }).connect(
      '127.0.0.1',
    );
    await expect(ssh.exec(['sleep', '2'], { timeoutMs: 100 })).rejects.toThrow(RemoteTimeoutError);
  });

  test('does not wait for a command that nobody wants any more', async () => {
    const host = await server();
    const ssh = await pool({ port: host.port, knownHosts: host.knownHosts('127.0.0.1') }).connect(
      '127.0.0.1',
    );
    const job = new AbortController();
    const started = Date.now();
    const waiting = ssh.exec(['sleep', '5'], { signal: job.signal, allowFailure: true });
    setTimeout(() => job.abort(new Error('The job was cancelled.')), 100);
    await expect(waiting).rejects.toThrow('The job was cancelled.');
    await expect(ssh.exec(['true'], { signal: job.signal })).rejects.toThrow('was cancelled');
    expect(Date.now() - started).toBeLessThan(4_500);
    expect((await ssh.exec(['echo', 'still there'])).stdout).toBe('still there\n');
  });

  test('puts a file in place with its mode', async () => {
    const host = await server();
    const ssh = await pool({ port: host.port, knownHosts: host.knownHosts('127.0.0.1') }).connect(
      '127.0.0.1',
    );
    const path = join(mkdtempSync(join(tmpdir(), 'ssh-')), 'with space.env');
    await ssh.upload(path, 'A=1\n', { mode: '0600' });
    await ssh.upload(path, 'A=2\n', { mode: '0600' });
    expect(readFileSync(path, 'utf8')).toBe('A=2\n');
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test('is dialled again after its connection broke', async () => {
    const host = await server();
    const hosts = pool({ port: host.port, knownHosts: host.knownHosts('127.0.0.1') });
    const first = await hosts.connect('127.0.0.1');
    const running = first.exec(['sleep', '5']);
    while (host.commands.length === 0) await pause(20);
    host.drop();
    await expect(running).rejects.toThrow(HostUnreachableError);
    const second = await hosts.connect('127.0.0.1');
    expect((await second.exec(['echo', 'back'])).stdout).toBe('back\n');
  });
});

describe('through the bastion', () => {
  test('reaches a private host, and forwards a port from there', async () => {
    const bastion = await server();
    const inner = await server({ address: '127.0.0.2', port: bastion.port });
    const hosts = pool({
      port: bastion.port,
      knownHosts: bastion.knownHosts('127.0.0.1') + inner.knownHosts('127.0.0.2'),
      jumpHost: '127.0.0.1',
    });
    const web = await webServer('through');
    const ssh = await hosts.connect('127.0.0.2', 'db-1');
    expect((await ssh.exec(['echo', 'hello'])).stdout).toBe('hello\n');
    const forward = await ssh.forward('127.0.0.1', web.port);
    const answer = await fetch(`http://127.0.0.1:${forward.port}/`, {
      headers: { connection: 'close' },
    });
    expect(await answer.text()).toBe('through');
    await forward.close();
  });

  test('a port that is forwarded lets nobody in once the connection broke, and lives on', async () => {
    const host = await server();
    const ssh = await pool({ port: host.port, knownHosts: host.knownHosts('127.0.0.1') }).connect(
      '127.0.0.1',
    );
    const forward = await ssh.forward('127.0.0.1', host.port);
    const broken = new Promise<void>((resolve) => ssh.onClose(resolve));
    host.drop();
    await broken;
    const visitor = connect(forward.port, '127.0.0.1')
      .on('error', () => {})
      .resume();
    await new Promise((resolve) => visitor.once('close', resolve));
    await forward.close();
  });

  test('says which of the two did not answer', async () => {
    const bastion = await server();
    const hosts = pool({
      port: bastion.port,
      knownHosts: `${bastion.knownHosts('127.0.0.1')}${bastion.knownHosts('127.0.0.9')}`,
      jumpHost: '127.0.0.1',
    });
    await expect(hosts.connect('127.0.0.9', 'app-9')).rejects.toThrow(
      /Cannot reach app-9 over SSH: bastion 127\.0\.0\.1 says/,
    );
  });

  test('does not wait for ever for a host that is silent', async () => {
    const bastion = await server({ silentTowards: '127.0.0.9' });
    const hosts = pool({
      port: bastion.port,
      knownHosts: `${bastion.knownHosts('127.0.0.1')}${bastion.knownHosts('127.0.0.9')}`,
      jumpHost: '127.0.0.1',
      connectTimeoutMs: 1000,
    });
    await expect(hosts.connect('127.0.0.9', 'app-9')).rejects.toThrow(
      /Cannot reach app-9 over SSH: bastion 127\.0\.0\.1 says: .* no answer within 1 s/,
    );
  });

  test('a host that hangs up and says no more is dialled again', async () => {
    const bastion = await server();
    const inner = await server({ address: '127.0.0.2', port: bastion.port });
    const line = await lineTo(inner.port, '127.0.0.2', '127.0.0.3');
    const hosts = pool({
      port: bastion.port,
      knownHosts: bastion.knownHosts('127.0.0.1') + inner.knownHosts('127.0.0.3'),
      jumpHost: '127.0.0.1',
    });
    const running = (await hosts.connect('127.0.0.3', 'app-3')).exec(['sleep', '5']);
    line.hangUp();
    await expect(running).rejects.toThrow(HostUnreachableError);
    const again = await hosts.connect('127.0.0.3', 'app-3');
    expect((await again.exec(['echo', 'back'])).stdout).toBe('back\n');
  });
});

describe('a host that is not trusted or does not trust us', () => {
  test('nobody there', async () => {
    const hosts = pool({ port: 1, knownHosts: `[127.0.0.1]:1 ${user.public}` });
    await expect(hosts.connect('127.0.0.1')).rejects.toThrow(HostUnreachableError);
  });

  test('another key than the known one', async () => {
    const host = await server();
    const other = keyPair();
    const hosts = pool({ port: host.port, knownHosts: `[127.0.0.1]:${host.port} ${other.public}` });
    const refused = hosts.connect('127.0.0.1', 'app-1');
    await expect(refused).rejects.toThrow(HostKeyError);
    await expect(refused).rejects.toThrow(/it showed ssh-ed25519 SHA256:\S+, known_hosts expects/);
  });

  test('no line in known_hosts', async () => {
    const host = await server();
    const hosts = pool({ port: host.port, knownHosts: '' });
    await expect(hosts.connect('127.0.0.1')).rejects.toThrow(/has no line for it/);
  });

  test('a key the server does not accept', async () => {
    const host = await server();
    const hosts = pool({
      port: host.port,
      knownHosts: host.knownHosts('127.0.0.1'),
      privateKey: keyPair().private,
    });
    const refused = hosts.connect('127.0.0.1');
    await expect(refused).rejects.toThrow(AuthenticationRefusedError);
    await expect(refused).rejects.toThrow(/refused user "deploy"/);
  });
});

async function webServer(body: string): Promise<{ port: number }> {
  const web: Server = createServer((_request, response) => response.end(body));
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
  closing.push(() => new Promise((resolve) => web.close(resolve)));
  const address = web.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { port: address.port };
}

/** A way to `port` at `to`, under the address `from`, that can say its last word on all connections. */
async function lineTo(port: number, to: string, from: string): Promise<{ hangUp: () => void }> {
  const open: [Socket, Socket][] = [];
  const relay = listen({ allowHalfOpen: true }, (near) => {
    const far = connect(port, to);
    open.push([near, far]);
    near.pipe(far);
    far.pipe(near, { end: false });
  });
  await new Promise<void>((resolve) => relay.listen(port, from, resolve));
  closing.push(async () => {
    for (const socket of open.flat()) socket.destroy();
    relay.close();
  });
  return {
    hangUp() {
      for (const [near, far] of open) {
        far.unpipe(near);
        near.end();
      }
    },
  };
}
