import { z } from 'zod';
import { RemoteCommandError } from '../ssh/errors.ts';
import { type Host, LeaseLostError } from './host.ts';
import { leaseFile, lockFile, root } from './layout.ts';

/** Who holds an environment, as `lease.json` on each host says. */
const leaseSchema = z.object({
  token: z.number(),
  owner: z.string(),
  run: z.string(),
  taken: z.string(),
  /** Seconds since the epoch by the host's own clock; 0 once it was given back. */
  expires: z.number(),
});
export type LeaseRecord = z.infer<typeof leaseSchema>;

export interface LeaseOptions {
  owner: string;
  /** URL of the run, for whoever has to wait for it. */
  run: string;
  /** Milliseconds to wait for another holder. */
  waitMs: number;
  say: (line: string) => void;
  cancelled?: AbortSignal;
  /** Told the token once the lease is taken, for whoever has to free it if this process dies. */
  taken?: (token: number) => void;
  /** Seconds until a holder that went silent is taken for dead; 30 by default. */
  lifetime?: number;
}

const held = 75;
const field = `field() { sed -n "s/.*\\"$1\\":\\([0-9]*\\).*/\\1/p" ${leaseFile} 2>/dev/null || true; }
now=$(date +%s)`;
const put = `printf '%s,"expires":%s}\\n' "$1" "$2" >${leaseFile}.new && mv -f ${leaseFile}.new ${leaseFile}`;

/** $1 the lease without its end, $2 its token, $3 seconds it lasts, $4 "force" or "". */
const acquireScript = `set -eu
mkdir -p ${root}
exec 9>>${lockFile}
flock -w 90 -x 9
${field}
put() { ${put}; }
expires=$(field expires); token=$(field token)
if [ "$4" != force ] && [ "\${expires:-0}" -gt "$now" ]; then cat ${leaseFile} >&2; exit ${held}; fi
if [ "\${token:-0}" -ge "$2" ]; then cat ${leaseFile} >&2; exit ${held}; fi
put "$1" "$((now + $3))"`;

/** $1 the lease without its end, $2 seconds it lasts on (0 gives it back). Runs fenced. */
const renewScript = `set -eu
put() { ${put}; }
if [ "$2" = 0 ]; then put "$1" 0; else put "$1" "$(($(date +%s) + $2))"; fi`;

/**
 * One lease for an environment. It lies on every host, is taken in the order of their names with a
 * token higher than any before, and each remote change checks that token: a run that lost its
 * lease, for whatever reason, can change nothing more.
 */
export class Lease {
  readonly #hosts: readonly Host[];
  readonly #record: string;
  readonly #lifetime: number;
  readonly #heartbeat: NodeJS.Timeout;
  readonly #lost = new AbortController();

  private constructor(hosts: readonly Host[], record: string, lifetime: number) {
    this.#hosts = hosts;
    this.#record = record;
    this.#lifetime = lifetime;
    this.#heartbeat = setInterval(() => void this.#renew(), (lifetime * 1000) / 4);
  }

  /** Fires when another run took the lease. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /**
   * Waits for the environment and takes it.
   * @throws Error naming the holder when it does not come free in time.
   */
  static async take(all: readonly Host[], options: LeaseOptions, force = false): Promise<Lease> {
    const hosts = [...all].sort((x, y) => (x.name < y.name ? -1 : 1));
    const lifetime = options.lifetime ?? 30;
    const deadline = Date.now() + options.waitMs;
    let told = '';
    for (;;) {
      options.cancelled?.throwIfAborted();
      const records = await Promise.all(hosts.map(readLease));
      const token = 1 + Math.max(0, ...records.map((record) => record?.token ?? 0));
      const record = JSON.stringify({
        token,
        owner: options.owner,
        run: options.run,
        taken: new Date().toISOString(),
      }).slice(0, -1);
      const holder = await takeAll(hosts, record, token, lifetime, force);
      if (holder === undefined) {
        options.taken?.(token);
        return new Lease(hosts, record, lifetime);
      }
      if (Date.now() > deadline) {
        throw new Error(
          `The environment is held by ${describe(holder)}, and did not come free within ` +
            `${options.waitMs / 1000} s. Wait for that run, raise \`lock-timeout\`, or, when it ` +
            'is surely dead, free it with `compta unlock --reason …`.',
        );
      }
      if (told !== holder.owner) options.say(`Waiting for the lease: ${describe(holder)}`);
      told = holder.owner;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }

  async #renew(): Promise<void> {
    for (const host of this.#hosts) {
      await this.#put(host, this.#lifetime).catch((error: unknown) => {
        // A host that cannot be reached now may be back at the next beat.
        if (error instanceof LeaseLostError) this.#lost.abort(error);
      });
    }
  }

  async #put(host: Host, seconds: number): Promise<void> {
    await host.change(['sh', '-c', renewScript, 'renew', this.#record, String(seconds)]);
  }

  /** Gives the environment back; a host that cannot be reached lets the lease run out. */
  async free(): Promise<void> {
    clearInterval(this.#heartbeat);
    await Promise.allSettled(this.#hosts.map((host) => this.#put(host, 0)));
    for (const host of this.#hosts) host.token = undefined;
  }
}

/** Takes the lease on each host in turn; on refusal gives back what it has and returns the holder. */
async function takeAll(
  hosts: readonly Host[],
  record: string,
  token: number,
  lifetime: number,
  force: boolean,
): Promise<LeaseRecord | undefined> {
  const taken: Host[] = [];
  for (const host of hosts) {
    const words = [record, String(token), String(lifetime), force ? 'force' : ''];
    try {
      await host.read(['sh', '-c', acquireScript, 'acquire', ...words], { timeoutMs: 120_000 });
      host.token = token;
      taken.push(host);
    } catch (error) {
      for (const mine of taken) {
        await mine.change(['sh', '-c', renewScript, 'renew', record, '0']).catch(() => {});
        mine.token = undefined;
      }
      if (!(error instanceof RemoteCommandError) || error.code !== held) throw error;
      return leaseSchema.parse(JSON.parse(error.stderr.trim()));
    }
  }
  return undefined;
}

/**
 * Frees what a process that died left behind.
 * @param token the lease to free, or `undefined` for whichever there is (a forced unlock).
 * @param before done on each host while the lease still is this one.
 * @returns the leases that were freed.
 */
export async function freeLeases(
  hosts: readonly Host[],
  token: number | undefined,
  before: (host: Host) => Promise<void> = async () => {},
): Promise<LeaseRecord[]> {
  const freed: LeaseRecord[] = [];
  for (const host of hosts) {
    const lease = await readLease(host);
    if (lease === undefined || lease.expires === 0) continue;
    if (token !== undefined && lease.token !== token) continue;
    const { expires: _expires, ...record } = lease;
    host.token = lease.token;
    await before(host);
    const words = [JSON.stringify(record).slice(0, -1), '0'];
    await host.change(['sh', '-c', renewScript, 'renew', ...words]);
    freed.push(lease);
  }
  return freed;
}

/** The lease as it stands on a host; `undefined` before the first. */
export async function readLease(host: Host): Promise<LeaseRecord | undefined> {
  const text = await host.content(leaseFile);
  return text === undefined ? undefined : leaseSchema.parse(JSON.parse(text));
}

function describe(lease: LeaseRecord): string {
  return `${lease.owner} (${lease.run || 'no run URL'}) since ${lease.taken}`;
}
