import type { Connection, ExecOptions, ExecResult } from '../ssh/connection.ts';
import { HostUnreachableError, RemoteCommandError } from '../ssh/errors.ts';
import { ReleaseFailure } from './evidence.ts';
import * as layout from './layout.ts';
import { type HostState, readContainers, type SlotName } from './slots.ts';

/** The lease was taken over: whatever this run planned is no longer its business. */
export class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError';
}

/** Exit code of what may change nothing any more. */
export const lostLease = 97;

/** Exit code of a reader that finds nothing there. */
const noFile = 44;

/** How programs say that a disk is full. */
export const noSpace = /no space left on device/i;

/** Runs a command only while the lease's token is ours; who takes the lease waits for its end. */
const fenced = `exec 9>>${layout.lockFile}
flock -s 9
token=$(sed -n 's/.*"token":\\([0-9]*\\).*/\\1/p' ${layout.leaseFile})
[ "$token" = "$1" ] || { echo "the lease's token is \${token:-none}, not $1" >&2; exit ${lostLease}; }
shift
exec "$@"`;

/**
 * Docker before 25 (API 1.44) knows no `start_interval`: it would look at a service that comes up no more
 * often than at one that runs.
 */
const composed = `case $(docker version -f '{{.Server.APIVersion}}') in
1.[0-9] | 1.[0-3][0-9] | 1.4[0-3]) export COMPTA_HEALTH_INTERVAL=2s ;;
esac
exec docker compose --progress quiet "$@"`;

/** An application server: what a release reads there, and what it changes there under its lease. */
export class Host {
  readonly name: string;
  readonly address: string;
  readonly #connect: () => Promise<Connection>;
  /** The lease's fencing token; nothing can be changed before there is one. */
  token: number | undefined;

  /** @param connect gives the open connection, or a new one when that broke. */
  constructor(name: string, address: string, connect: () => Promise<Connection>) {
    this.name = name;
    this.address = address;
    this.#connect = connect;
  }

  /**
   * Runs a command that changes nothing, as root; once more when the connection breaks in its midst.
   * @throws ReleaseFailure when it fails for want of space.
   */
  async read(command: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const connection = await this.#connect();
    try {
      return await this.#exec(connection, command, options);
    } catch (error) {
      if (!(error instanceof HostUnreachableError)) throw error;
      return this.once(command, options);
    }
  }

  /** As {@link read}, for what may not be done twice: of a connection that breaks nobody knows how far it came. */
  async once(command: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    return this.#exec(await this.#connect(), command, options);
  }

  async #exec(
    connection: Connection,
    command: readonly string[],
    options: ExecOptions,
  ): Promise<ExecResult> {
    try {
      return await connection.exec(['sudo', '-n', ...command], options);
    } catch (cause) {
      if (!(cause instanceof RemoteCommandError && noSpace.test(cause.stderr))) throw cause;
      const why = `The disk of ${this.name} is full: remove what else lies there, then run it again.`;
      throw new ReleaseFailure(why, undefined, { cause });
    }
  }

  /**
   * Runs a command that changes something, as root, if the lease is still ours.
   * @throws LeaseLostError when it is not.
   */
  async change(command: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    if (this.token === undefined) throw new Error(`No lease on ${this.name} yet.`);
    const argv = ['sh', '-c', fenced, 'fenced', String(this.token), ...command];
    const lost = (stderr: string, cause?: unknown): LeaseLostError =>
      new LeaseLostError(
        `The lease on ${this.name} was taken over by another run; this one stops here. ` +
          stderr.trim(),
        { cause },
      );
    try {
      const result = await this.once(argv, options);
      if (result.code === lostLease) throw lost(result.stderr);
      return result;
    } catch (error) {
      if (error instanceof RemoteCommandError && error.code === lostLease) {
        throw lost(error.stderr, error);
      }
      throw error;
    }
  }

  /** Replaces a file atomically, with the whole of its content or not at all. */
  async write(path: string, content: string, mode: string, owner = 'root:root'): Promise<void> {
    // A connection that breaks ends the input, and the command goes on as if that were all.
    const script = `set -eu
temporary="$(mktemp "$1.XXXXXX")"
trap 'rm -f "$temporary"' EXIT
cat >"$temporary"
[ "$(stat -c %s "$temporary")" = "$4" ] || { echo "only a part of $1 arrived" >&2; exit 1; }
chmod "$2" "$temporary"
chown "$3" "$temporary"
sync "$temporary"
mv -f "$temporary" "$1"`;
    const size = String(Buffer.byteLength(content));
    await this.change(['sh', '-c', script, 'write', path, mode, owner, size], { input: content });
  }

  /** Adds a line to a file, the whole of it or nothing. */
  async append(path: string, line: string): Promise<void> {
    // As for `write`: what arrived may be a part. One at a time, or one that is undone cuts off another.
    const script = `set -eu
line=$(cat)
[ "$(printf '%s' "$line" | wc -c)" = "$2" ] || { echo "only a part of a line for $1 arrived" >&2; exit 1; }
exec 8<"\${1%/*}"
flock -x 8
size=$(stat -c %s "$1" 2>/dev/null || echo 0)
printf '%s\\n' "$line" | cat >>"$1" || { truncate -s "$size" "$1"; exit 1; }
flock -u 8
sync "$1"`;
    const size = String(Buffer.byteLength(line));
    await this.change(['sh', '-c', script, 'append', path, size], { input: line });
  }

  /**
   * Content of a file, or `undefined` when there is none.
   * @throws Error when it is there and cannot be read, or nobody knows.
   */
  async content(path: string): Promise<string | undefined> {
    const script = `cat "$1" || { [ -e "$1" ] || exit ${noFile}; exit 1; }`;
    const words = ['sh', '-c', script, 'content', path];
    const { code, stdout, stderr } = await this.read(words, { allowFailure: true });
    if (code === 0) return stdout;
    if (code === noFile) return undefined;
    throw new Error(`${path} on ${this.name} cannot be read: ${stderr.trim()}`);
  }

  /** What runs here now. */
  async state(): Promise<HostState> {
    const script = `[ -e ${layout.caddy.outOfRotation} ] && echo out || echo in
sha256sum ${layout.caddy.configuration}/Caddyfile 2>/dev/null || echo
ids=$(docker ps -q --filter label=com.docker.compose.project=${layout.project}) || exit
[ -z "$ids" ] || exec docker inspect $ids`;
    const { stdout } = await this.read(['sh', '-c', script]);
    const [rotation, checksum = '', ...containers] = stdout.split('\n');
    const [caddyfile] = checksum.split(' ');
    return {
      ...readContainers(containers.join('\n'), layout.backendNetwork),
      outOfRotation: rotation === 'out',
      ...(caddyfile && { caddyfile }),
    };
  }

  /** `docker compose …` with a release's files, which have a health check for engines of any age. */
  async compose(release: string, ...command: string[]): Promise<void> {
    const folder = layout.releaseFolder(release);
    const files = ['--env-file', `${folder}/.env`, '-f', `${folder}/compose.yml`];
    await this.change(['sh', '-c', composed, 'compose', ...files, ...command], {
      timeoutMs: 180_000,
    });
  }

  /** An HTTP request from this host to a container on it; a POST is made under the lease alone. */
  async http(url: string, ...options: string[]): Promise<{ status: number; body: string }> {
    const command = ['curl', '-sS', '--max-time', '4', '-w', '\\n%{http_code}', ...options, url];
    const limits = { allowFailure: true, timeoutMs: 15_000 };
    const { code, stdout } = options.includes('POST')
      ? await this.change(command, limits)
      : await this.read(command, limits);
    const end = stdout.lastIndexOf('\n');
    return code === 0
      ? { status: Number(stdout.slice(end + 1)), body: stdout.slice(0, end) }
      : { status: 0, body: '' };
  }
}

/** Name of a slot's Compose service, which is its name on the network too. */
export function slotName(service: string, slot: SlotName): string {
  return `${service}-${slot}`;
}
