import type { Duplex } from 'node:stream';
import ssh2 from 'ssh2';
import { Connection } from './connection.ts';
import { AuthenticationRefusedError, HostKeyError, HostUnreachableError } from './errors.ts';
import { algorithmsOf, fingerprint, KnownHosts, keyType } from './known-hosts.ts';
import { normalisePrivateKey } from './private-key.ts';

export interface SshSettings {
  user: string;
  port: number;
  /** Text of the private key, not a path. */
  privateKey: string;
  /** Text of a known_hosts file; a host without a line in it is refused. */
  knownHosts: string;
  /** Address of the one server with SSH from outside; without it hosts are dialled directly. */
  jumpHost?: string;
  /** Milliseconds for the way through the bastion, and as many for handshake and login; 20 s by default. */
  connectTimeoutMs?: number;
}

/** One connection a host, opened when first asked for, all through one connection to the bastion. */
export class SshPool {
  readonly #settings: SshSettings & { connectTimeoutMs: number };
  readonly #knownHosts: KnownHosts;
  readonly #open = new Map<string, Promise<Connection>>();

  /** @throws Error when the private key or known_hosts cannot be read; nothing is dialled yet. */
  constructor(settings: SshSettings) {
    const { connectTimeoutMs = 20_000 } = settings;
    const privateKey = normalisePrivateKey(settings.privateKey);
    this.#settings = { ...settings, privateKey, connectTimeoutMs };
    this.#knownHosts = new KnownHosts(settings.knownHosts);
  }

  /**
   * The connection to a host; a broken one is replaced.
   * @param name what messages call the host.
   * @throws HostUnreachableError, HostKeyError, AuthenticationRefusedError.
   */
  connect(address: string, name = address): Promise<Connection> {
    const existing = this.#open.get(address);
    if (existing !== undefined) return existing;
    const attempt = this.#dial(address, name);
    this.#open.set(address, attempt);
    const forget = (): void => {
      if (this.#open.get(address) === attempt) this.#open.delete(address);
    };
    attempt.then((connection) => connection.onClose(forget), forget);
    return attempt;
  }

  /** Ends every connection. */
  async close(): Promise<void> {
    const connections = [...this.#open.values()].reverse();
    this.#open.clear();
    for (const attempt of connections) (await attempt.catch(() => undefined))?.close();
  }

  async #dial(address: string, name: string): Promise<Connection> {
    const { jumpHost, port, connectTimeoutMs } = this.#settings;
    if (jumpHost === undefined || jumpHost === address) return this.#login(address, name);
    const bastion = await this.connect(jumpHost, `bastion ${jumpHost}`);
    const socket = await bastion.hop(address, port, connectTimeoutMs).catch((cause: Error) => {
      throw new HostUnreachableError(name, `${bastion.name} says: ${cause.message}`, { cause });
    });
    return this.#login(address, name, socket);
  }

  #login(address: string, name: string, socket?: Duplex): Promise<Connection> {
    const { user, port, privateKey, connectTimeoutMs } = this.#settings;
    const label = name === address ? `${address}:${port}` : `${name} (${address}:${port})`;
    const known = this.#knownHosts.keysOf(address, port);
    const expected = known.map((key) => `${key.type} ${fingerprint(key.blob)}`);
    let refusedKey: string | undefined;
    return new Promise((resolve, reject) => {
      if (known.length === 0) {
        socket?.destroy();
        reject(new HostKeyError(label, 'no key yet (it was not asked)', []));
        return;
      }
      const client = new ssh2.Client();
      // Nagle's algorithm would hold back each small packet for as long as TCP delays an answer to the one
      // before: 40 ms, several times a command.
      client.once('connect', () => client.setNoDelay(true));
      client.once('ready', () => resolve(new Connection(name, address, client)));
      client.once('error', (error: Error & { level?: string }) => {
        client.destroy();
        reject(explain(error));
      });
      client.once('close', () =>
        reject(new HostUnreachableError(label, 'it closed the connection before the login')),
      );
      const explain = (error: Error & { level?: string }): Error => {
        const options = { cause: error };
        if (refusedKey !== undefined) return new HostKeyError(label, refusedKey, expected, options);
        if (error.level === 'client-authentication') {
          return new AuthenticationRefusedError(label, user, options);
        }
        if (/no matching (server )?host key/i.test(error.message)) {
          return new HostKeyError(label, 'only keys of other types', expected, options);
        }
        return new HostUnreachableError(label, error.message, options);
      };
      client.connect({
        ...(socket === undefined ? { host: address, port } : { sock: socket as never }),
        username: user,
        privateKey,
        readyTimeout: connectTimeoutMs,
        // Twenty seconds until a dead connection is noticed: before a lease of thirty runs out.
        keepaliveInterval: 5_000,
        keepaliveCountMax: 3,
        algorithms: { serverHostKey: algorithmsOf(known) as never },
        hostVerifier: (blob: Buffer): boolean => {
          if (known.some((key) => key.blob.equals(blob))) return true;
          refusedKey = `${keyType(blob)} ${fingerprint(blob)}`;
          return false;
        },
      });
    });
  }
}
