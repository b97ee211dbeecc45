import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';
import type { Client, ClientCallback, ClientChannel } from 'ssh2';
import { HostUnreachableError, RemoteCommandError, RemoteTimeoutError } from './errors.ts';
import { quote } from './quote.ts';

export interface ExecOptions {
  /** Written to the command's standard input, which is then closed. The place for secrets. */
  input?: string | Buffer;
  /** Milliseconds, 2 minutes by default; a lost connection is noticed sooner by keep-alive. */
  timeoutMs?: number;
  /** Called with each line of stdout and stderr as it comes. */
  onLine?: (line: string) => void;
  /** Return a non-zero code instead of throwing. */
  allowFailure?: boolean;
  /** Aborting ends the wait with its reason; the command may go on by itself. */
  signal?: AbortSignal;
}

export interface ExecResult {
  /** `null` when a signal ended the command. */
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A remote command that is talked to; it ends with the connection, whatever ends that. */
export interface Conversation {
  /** Writes to the command's standard input. */
  say(text: string): void;
  /** Closes its standard input and waits for its end. */
  end(): Promise<void>;
  /** Fires when the command is gone, asked to or not. */
  readonly ended: AbortSignal;
}

export interface UploadOptions {
  /** Octal text such as `0600`. */
  mode: string;
  /** `user:group`, numeric or by name; needs `sudo`. */
  owner?: string;
  sudo?: boolean;
}

/** Writes standard input beside the target, makes it durable, then renames it into place. */
const writeFile = `set -eu
temporary="$(mktemp "$1.XXXXXX")"
trap 'rm -f "$temporary"' EXIT
cat >"$temporary"
chmod "$2" "$temporary"
[ -z "$3" ] || chown "$3" "$temporary"
sync "$temporary"
mv -f "$temporary" "$1"
trap - EXIT`;

/** One authenticated connection to one host. */
export class Connection {
  /** What messages call it. */
  readonly name: string;
  readonly address: string;
  readonly #client: Client;
  #closed = false;

  constructor(name: string, address: string, client: Client) {
    this.name = name;
    this.address = address;
    this.#client = client;
    client.on('close', () => {
      this.#closed = true;
    });
    client.on('error', () => {
      this.#closed = true;
    });
  }

  /** Calls back once the connection is gone, by us or by the other side. */
  onClose(listener: () => void): void {
    if (this.#closed) listener();
    else this.#client.once('close', listener);
  }

  /**
   * Runs a command.
   * @throws RemoteCommandError, RemoteTimeoutError, HostUnreachableError.
   */
  async exec(command: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    options.signal?.throwIfAborted();
    const line = quote(command);
    const result = await new Promise<ExecResult>((resolve, reject) => {
      const lost = (cause?: Error) =>
        reject(new HostUnreachableError(this.name, 'the connection was lost', { cause }));
      if (this.#closed) return lost();
      // Listens in the callback itself: a fast command's exit arrives in the same packet.
      this.#client.exec(line, (error, channel) => {
        if (error) lost(error);
        else this.#collect(channel, line, options).then(resolve, reject);
      });
    });
    if (result.code !== 0 && !options.allowFailure) {
      throw new RemoteCommandError(this.name, shorten(line), result.code, result.stderr);
    }
    return result;
  }

  #collect(channel: ClientChannel, line: string, options: ExecOptions): Promise<ExecResult> {
    const timeoutMs = options.timeoutMs ?? 120_000;
    return new Promise((resolve, reject) => {
      const stdout: Buffer[] = [];
      const stderr: Buffer[] = [];
      let ended = false;
      let code: number | null = null;
      const timer = setTimeout(() => {
        reject(new RemoteTimeoutError(this.name, shorten(line), timeoutMs));
        channel.destroy();
      }, timeoutMs);
      const leave = () => {
        clearTimeout(timer);
        reject(options.signal?.reason);
        channel.destroy();
      };
      // It may have fired while the channel was opened.
      if (options.signal?.aborted) leave();
      else options.signal?.addEventListener('abort', leave, { once: true });
      channel.on('data', (data: Buffer) => stdout.push(data));
      channel.stderr.on('data', (data: Buffer) => stderr.push(data));
      if (options.onLine !== undefined) {
        createInterface({ input: channel }).on('line', options.onLine);
        createInterface({ input: channel.stderr }).on('line', options.onLine);
      }
      channel.on('exit', (status: number | null) => {
        ended = true;
        code = status;
      });
      channel.on('error', () => {});
      channel.on('close', () => {
        clearTimeout(timer);
        options.signal?.removeEventListener('abort', leave);
        if (!ended) {
          reject(new HostUnreachableError(this.name, 'the connection was lost during a command'));
          return;
        }
        resolve({
          code,
          stdout: Buffer.concat(stdout).toString(),
          stderr: Buffer.concat(stderr).toString(),
        });
      });
      channel.end(options.input ?? '');
    });
  }

  /**
   * Starts a command whose standard input stays open.
   * @throws HostUnreachableError
   */
  async converse(
    command: readonly string[],
    onLine: (line: string) => void,
  ): Promise<Conversation> {
    const channel = await new Promise<ClientChannel>((resolve, reject) => {
      const lost = (cause?: Error) =>
        reject(new HostUnreachableError(this.name, 'the connection was lost', { cause }));
      if (this.#closed) return lost();
      this.#client.exec(quote(command), (error, opened) => (error ? lost(error) : resolve(opened)));
    });
    const gone = new AbortController();
    createInterface({ input: channel }).on('line', onLine);
    // Unread, it would fill up and stop the command.
    channel.stderr.resume();
    channel.on('error', () => {});
    channel.on('close', () =>
      gone.abort(new Error(`A command on ${this.name} that was to stay has ended.`)),
    );
    const ended = new Promise<void>((resolve) => channel.once('close', resolve));
    return {
      say: (text) => void channel.write(text),
      ended: gone.signal,
      end: () => {
        channel.end();
        return ended;
      },
    };
  }

  /** Puts a file in place atomically. The content never touches a command line. */
  async upload(path: string, content: string | Buffer, options: UploadOptions): Promise<void> {
    const script = ['sh', '-c', writeFile, 'sh', path, options.mode, options.owner ?? ''];
    await this.exec(options.sudo ? ['sudo', '-n', ...script] : script, { input: content });
  }

  /**
   * Opens a free port on this machine's 127.0.0.1 that leads to `host:port` as this server sees it.
   * Close it when done; connections through it end with the SSH connection.
   */
  async forward(host: string, port: number): Promise<{ port: number; close: () => Promise<void> }> {
    const open = new Set<Duplex>();
    const server = createServer((socket) => {
      open.add(socket);
      socket.on('close', () => open.delete(socket)).on('error', () => socket.destroy());
      const lead: ClientCallback = (error, stream) => {
        if (error) return socket.destroy();
        stream.on('error', () => socket.destroy()).on('close', () => socket.destroy());
        socket.on('close', () => stream.destroy());
        socket.pipe(stream).pipe(socket);
      };
      try {
        this.#client.forwardOut('127.0.0.1', socket.remotePort ?? 0, host, port, lead);
      } catch {
        // The connection is gone, which ssh2 throws here, where nobody would catch it.
        socket.destroy();
      }
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(0, '127.0.0.1', resolve);
    });
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('No port to forward.');
    const close = (): Promise<void> =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      });
    return { port: address.port, close };
  }

  /**
   * A raw stream to `host:port` as this server sees it: the hop of a jump host.
   * @throws Error when there is no answer, neither yes nor no, within `timeoutMs`.
   */
  hop(host: string, port: number, timeoutMs: number): Promise<Duplex> {
    return new Promise((resolve, reject) => {
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        reject(new Error(`${host}:${port} gives no answer within ${timeoutMs / 1000} s`));
      }, timeoutMs);
      this.#client.forwardOut('127.0.0.1', 0, host, port, (error, stream) => {
        clearTimeout(timer);
        if (error) return reject(error);
        if (late) return stream.destroy();
        // Half of it stays open when the other side hangs up, and ssh2 then waits for ever.
        stream.once('end', () => stream.destroy());
        resolve(stream);
      });
    });
  }

  close(): void {
    this.#closed = true;
    this.#client.end();
  }
}

function shorten(line: string): string {
  const oneLine = line.replaceAll(/\s+/g, ' ');
  return oneLine.length <= 160 ? oneLine : `${oneLine.slice(0, 157)}…`;
}
