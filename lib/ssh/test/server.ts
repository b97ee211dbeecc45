import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import ssh2 from 'ssh2';
import { keyPair } from '../key-pair.ts';

/** A real SSH server on loopback that runs commands with `sh -c`, like sshd does. */
export interface TestServer {
  port: number;
  /** A known_hosts line for `address`. */
  knownHosts: (address: string) => string;
  /** Every command line that was run. */
  commands: string[];
  /** How often somebody was let in. */
  logins: () => number;
  /** Drops every connection. */
  drop: () => void;
  /** Drops every connection and answers none, as a host that loses its power, until `on`. */
  off: () => Promise<void>;
  on: () => Promise<void>;
  /** Drops every connection and shows another host key, until what it returns is called. */
  showOtherKey: () => Promise<() => Promise<void>>;
  close: () => Promise<void>;
}

export interface ServerOptions {
  /** Any 127.x.y.z. */
  address?: string;
  port?: number;
  /** What runs a command line, which is added to it. */
  shell?: string[];
  env?: NodeJS.ProcessEnv;
  /** Where a way on from here gets no answer, neither yes nor no. */
  silentTowards?: string;
}

/** Starts a server that lets in whoever holds `authorized`. */
export async function startServer(
  authorized: string,
  {
    address = '127.0.0.1',
    port = 0,
    shell = ['sh', '-c'],
    env = process.env,
    silentTowards,
  }: ServerOptions = {},
): Promise<TestServer> {
  const hostKey = keyPair();
  const allowed = ssh2.utils.parseKey(authorized);
  if (allowed instanceof Error) throw allowed;
  const connections = new Set<ssh2.Connection>();
  const commands: string[] = [];
  let logins = 0;
  const serve = (connection: ssh2.Connection): void => {
    connections.add(connection);
    // As sshd. Its types do not have it.
    (connection as unknown as { setNoDelay: (on: boolean) => void }).setNoDelay(true);
    connection.on('error', () => {});
    connection.on('close', () => connections.delete(connection));
    connection.on('authentication', (context) => {
      if (context.method !== 'publickey') return context.reject(['publickey']);
      if (!context.key.data.equals(allowed.getPublicSSH())) return context.reject();
      if (context.signature === undefined || context.blob === undefined) return context.accept();
      const good = allowed.verify(context.blob, context.signature, context.hashAlgo);
      return good === true ? context.accept() : context.reject();
    });
    connection.on('ready', () => {
      logins += 1;
    });
    connection.on('session', (accept) => {
      accept().on('exec', (acceptExec, _reject, { command }) => {
        commands.push(command);
        const channel = acceptExec();
        const [program = 'sh', ...words] = [...shell, command];
        const child = spawn(program, words, { env });
        channel.on('close', () => child.kill());
        child.stdout.pipe(channel, { end: false });
        child.stderr.pipe(channel.stderr, { end: false });
        channel.pipe(child.stdin);
        child.stdin.on('error', () => {});
        child.on('close', (code) => {
          channel.exit(code ?? 255);
          channel.end();
        });
      });
    });
    connection.on('tcpip', (accept, reject, { destIP, destPort }) => {
      if (destIP === silentTowards) return;
      const socket = connect({ port: destPort, host: destIP, allowHalfOpen: true, noDelay: true });
      socket.once('error', () => reject());
      socket.once('connect', () => {
        const channel = accept();
        channel.on('error', () => socket.destroy()).on('close', () => socket.destroy());
        socket.on('error', () => channel.destroy()).on('close', () => channel.destroy());
        channel.pipe(socket).pipe(channel, { end: false });
        // Like sshd: who hangs up on this side has ended one direction alone.
        socket.on('end', () => channel.eof());
      });
    });
  };
  let server = new ssh2.Server({ hostKeys: [hostKey.private] }, serve);
  const listen = (at: number): Promise<void> =>
    new Promise((resolve) => server.listen(at, address, resolve));
  await listen(port);
  const bound = portOf(server.address());
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      for (const connection of connections) connection.end();
      server.close(() => resolve());
    });
  const show = async (key: string): Promise<void> => {
    await close();
    server = new ssh2.Server({ hostKeys: [key] }, serve);
    await listen(bound);
  };
  return {
    port: bound,
    commands,
    logins: () => logins,
    knownHosts: (name) => `[${name}]:${bound} ${hostKey.public}\n`,
    drop: () => {
      for (const connection of connections) connection.end();
    },
    off: close,
    on: () => listen(bound),
    async showOtherKey() {
      await show(keyPair().private);
      return () => show(hostKey.private);
    },
    close,
  };
}

function portOf(address: ReturnType<ssh2.Server['address']>): number {
  if (address === null || typeof address === 'string') throw new Error('No port to listen on.');
  return address.port;
}
