import { z } from 'zod';
import { RemoteCommandError } from '../ssh/errors.ts';
import { type Host, LeaseLostError, lostLease } from './host.ts';
import { leaseFile, lockFile, root } from './layout.ts';

/** Who holds an environment, as `lease.json` on each host says. */
const leaseSchema = z.object({
  token: z.number(),
  owner: z.string(),
  run: z.string(),
  taken: z.string(),
  /** What for, where the owner said it. */
  reason: z.string().optional(),
  /** Seconds since the epoch by the host's own clock; 0 once it was given back. */
  expires: z.number(),
});
export type LeaseRecord = z.infer<typeof leaseSchema>;

export interface LeaseOptions {
  owner: string;
  /** URL of the run, for whoever has to wait for it. */
  run: string;
  reason?: string | undefined;
  /** Token of the lease that is held around this process: it is joined, and stays with its holder. */
  within?: number | undefined;
  /** Milliseconds to wait for another holder. */
  waitMs: number;
  /** Input or option that says so; `lock-timeout` by default. */
  waitOption?: string;
  say: (line: string) => void;
  cancelled?: AbortSignal;
  /** Told the token of the lease to free if this process dies; 0 once every host has it back. */
  taken?: (token: number) => void;
  /** Seconds until a holder that went silent is taken for dead; 30 by default. */
  lifetime?: number;
}

/** What keeps a lease alive that this process took. */
interface Own {
  /** The lease as it lies on the hosts, without its end. */
  record: string;
  lifetime: number;
  taken: LeaseOptions['taken'];
}

const held = 75;
/** What an earlier run has begun there goes on, though the run may be gone. */
const busy = 76;
const field = `field() { sed -n "s/.*\\"$1\\":\\([0-9]*\\).*/\\1/p" ${leaseFile} 2>/dev/null || true; }
now=$(date +%s)`;
const put = `printf '%s,"expires":%s}\\n' "$1" "$2" >${leaseFile}.new && mv -f ${leaseFile}.new ${leaseFile}`;

/** $1 the lease without its end, $2 its token, $3 seconds it lasts, $4 "force" or "". */
const acquireScript = `set -eu
mkdir -p ${root}
exec 9>>${lockFile}
flock -w 5 -x 9 || exit ${busy}
${field}
put() { ${put}; }
expires=$(field expires); token=$(field token)
if [ "$4" != force ] && [ "\${expires:-0}" -gt "$now" ]; then cat ${leaseFile} >&2; exit ${held}; fi
if [ "\${token:-0}" -ge "$2" ]; then cat ${leaseFile} >&2; exit ${held}; fi
put "$1" "$((now + $3))"`;

/**
 * $1 the lease without its end, $2 seconds it lasts on (0 gives it back, for good). Runs fenced, beside
 * others with the same token: one at a time, or a renewal would revive what is freed in its midst.
 */
const renewScript = `set -eu
exec 8<${root}
flock -x 8
${field}
put() { ${put}; }
if [ "$2" = 0 ]; then put "$1" 0; exit; fi
[ "$(field expires)" != 0 ] || { echo 'It was freed.' >&2; exit ${lostLease}; }
put "$1" "$((now + $2))"`;

/** The lease on a host, after the host's own time. */
const lookScript = `date +%s; cat ${leaseFile} 2>/dev/null || true`;

/**
 * One lease for an environment. It lies on every host, with a token higher than any before, and each
 * remote change checks that token: a run that lost its lease, for whatever reason, can change nothing more.
 */
export class Lease {
  readonly token: number;
  readonly #hosts: readonly Host[];
  /** What keeps it alive; nothing where somebody around us does. */
  readonly #own: Own | undefined;
  readonly #heartbeat: NodeJS.Timeout | undefined;
  /** Renewals that are under way. */
  readonly #renewals = new Map<Host, Promise<void>>();
  readonly #lost = new AbortController();

  private constructor(hosts: readonly Host[], token: number, own?: Own) {
    this.#hosts = hosts;
    this.token = token;
    this.#own = own;
    if (own === undefined) return;
    const beat = Math.min((own.lifetime * 1000) / 4, 7_500);
    this.#heartbeat = setInterval(() => this.#renew(own), beat);
  }

  /** Fires when another run took the lease. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /**
   * Waits for the environment and takes it, or joins the lease that it is already held by.
   * @throws Error naming the holder when it does not come free in time.
   * @throws LeaseLostError when the lease to join is no longer the one on the hosts.
   */
  static async take(all: readonly Host[], options: LeaseOptions, force = false): Promise<Lease> {
    if (options.within !== undefined) return Lease.#join(all, options.within);
    const hosts = [...all].sort((x, y) => (x.name < y.name ? -1 : 1));
    const lifetime = options.lifetime ?? 30;
    const deadline = Date.now() + options.waitMs;
    let told = '';
    for (;;) {
      options.cancelled?.throwIfAborted();
      const found = await Promise.all(hosts.map(look));
      const token = 1 + Math.max(0, ...found.map(({ lease }) => lease?.token ?? 0));
      const record = JSON.stringify({
        token,
        owner: options.owner,
        run: options.run,
        reason: options.reason,
        taken: new Date().toISOString(),
      }).slice(0, -1);
      // Held on one is held: a host that was away for too long does not cost its holder the others.
      const binding = force ? undefined : found.find(({ binds }) => binds)?.lease;
      const obstacle = binding
        ? heldBy(binding)
        : await takeAll(hosts, record, token, lifetime, force);
      if (obstacle === undefined) {
        options.taken?.(token);
        return new Lease(hosts, token, { record, lifetime, taken: options.taken });
      }
      const { who, sentence, remedy } = obstacle;
      if (Date.now() > deadline) {
        const waited = `did not come free within ${options.waitMs / 1000} s`;
        const raise = `raise \`${options.waitOption ?? 'lock-timeout'}\``;
        throw new Error(`${sentence}, and ${waited}. ${remedy}, or ${raise}.`);
      }
      if (told !== who) options.say(`Waiting for the lease: ${who}`);
      told = who;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }

  static async #join(hosts: readonly Host[], token: number): Promise<Lease> {
    for (const host of hosts) {
      const lease = await readLease(host);
      if (lease?.token === token && lease.expires > 0) continue;
      const holder = lease && lease.expires > 0 ? `held by ${describe(lease)}` : 'free';
      throw new LeaseLostError(
        `This was started under the lease ${token}, and ${host.name} is ${holder} by now: ` +
          'nothing is changed. Start the whole again.',
      );
    }
    for (const host of hosts) host.token = token;
    return new Lease(hosts, token);
  }

  /** Each host at its own pace: one that does not answer keeps no other from being renewed. */
  #renew({ lifetime }: Own): void {
    for (const host of this.#hosts) {
      if (this.#renewals.has(host)) continue;
      const renewal = this.#put(host, lifetime)
        // A host that cannot be reached now may be back at the next beat.
        .catch((error: unknown) => {
          if (error instanceof LeaseLostError) this.#lost.abort(error);
        })
        .finally(() => this.#renewals.delete(host));
      this.#renewals.set(host, renewal);
    }
  }

  async #put(host: Host, seconds: number): Promise<void> {
    const record = this.#own?.record ?? '';
    await host.change(['sh', '-c', renewScript, 'renew', record, String(seconds)]);
  }

  /** Gives the environment back; a host that cannot be reached lets the lease run out. */
  async free(): Promise<void> {
    clearInterval(this.#heartbeat);
    if (this.#own) {
      const ends = await Promise.allSettled(
        this.#hosts.map(async (host) => {
          // One that arrives later would revive what was given back.
          await this.#renewals.get(host);
          await this.#put(host, 0);
        }),
      );
      if (ends.every(({ status }) => status === 'fulfilled')) this.#own.taken?.(0);
    }
    for (const host of this.#hosts) host.token = undefined;
  }
}

/** What keeps the lease from being taken. */
interface Obstacle {
  who: string;
  /** Without its end. */
  sentence: string;
  remedy: string;
}

function heldBy(lease: LeaseRecord): Obstacle {
  const who = describe(lease);
  return {
    who,
    sentence: `The environment is held by ${who}`,
    remedy: 'Wait for that run, free it with `compta unlock --reason …` when it is surely dead',
  };
}

function busyWith(host: Host): Obstacle {
  const who = `${host.name} is still at what an earlier run has begun there`;
  return { who, sentence: who, remedy: `See there what it is with \`fuser -v ${lockFile}\`` };
}

/**
 * Takes the lease on the first host, which of two that want it one alone gets, then on all the others; on
 * refusal gives back what it has and returns what is in the way.
 */
async function takeAll(
  hosts: readonly Host[],
  record: string,
  token: number,
  lifetime: number,
  force: boolean,
): Promise<Obstacle | undefined> {
  const taken: Host[] = [];
  const words = [record, String(token), String(lifetime), force ? 'force' : ''];
  const take = async (host: Host): Promise<Obstacle | undefined> => {
    try {
      await host.once(['sh', '-c', acquireScript, 'acquire', ...words], { timeoutMs: 120_000 });
    } catch (error) {
      return obstacleIn(error, host);
    }
    host.token = token;
    taken.push(host);
    return undefined;
  };
  for (const some of [hosts.slice(0, 1), hosts.slice(1)]) {
    const ends = await Promise.allSettled(some.map(take));
    const bad = ends.find((end) => end.status === 'rejected' || end.value !== undefined);
    if (bad === undefined) continue;
    await Promise.all(
      taken.map(async (mine) => {
        await mine.change(['sh', '-c', renewScript, 'renew', record, '0']).catch(() => {});
        mine.token = undefined;
      }),
    );
    if (bad.status === 'rejected') throw bad.reason;
    return bad.value;
  }
  return undefined;
}

/** @throws the error itself when it is no other holder's doing. */
function obstacleIn(error: unknown, host: Host): Obstacle {
  if (!(error instanceof RemoteCommandError)) throw error;
  if (error.code === busy) return busyWith(host);
  if (error.code !== held) throw error;
  // sudo may have something to say first.
  const text = error.stderr.trim().split('\n').at(-1) ?? '';
  return heldBy(leaseSchema.parse(JSON.parse(text)));
}

/**
 * Frees what a process that died left behind.
 * @param token the lease to free, or `undefined` for whichever there is (a forced unlock).
 * @param before done on each host while the lease still is this one.
 * @returns the leases that were freed.
 * @throws the first of what failed, once every other host was asked.
 */
export async function freeLeases(
  hosts: readonly Host[],
  token: number | undefined,
  before: (host: Host) => Promise<void> = async () => {},
): Promise<LeaseRecord[]> {
  const freed: LeaseRecord[] = [];
  const failures: unknown[] = [];
  for (const host of hosts) {
    try {
      const lease = await readLease(host);
      if (lease === undefined || lease.expires === 0) continue;
      if (token !== undefined && lease.token !== token) continue;
      const { expires: _expires, ...record } = lease;
      host.token = lease.token;
      await before(host);
      const words = [JSON.stringify(record).slice(0, -1), '0'];
      await host.change(['sh', '-c', renewScript, 'renew', ...words]);
      freed.push(lease);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return freed;
}

/** The lease as it stands on a host; `undefined` before the first. */
export async function readLease(host: Host): Promise<LeaseRecord | undefined> {
  return (await look(host)).lease;
}

/** The lease on a host, and whether it keeps others out now: by the host's own clock, as it is taken. */
export async function look(
  host: Host,
): Promise<{ lease: LeaseRecord | undefined; binds: boolean }> {
  const { stdout } = await host.read(['sh', '-c', lookScript]);
  const [now, text = ''] = stdout.split('\n');
  if (text === '') return { lease: undefined, binds: false };
  const lease = leaseSchema.parse(JSON.parse(text));
  return { lease, binds: lease.expires > Number(now) };
}

/** Who holds it, since when and what for. */
export function describe({ owner, run, taken, reason }: LeaseRecord): string {
  return `${owner} (${run || 'no run URL'}) since ${taken}${reason ? `: ${reason}` : ''}`;
}
