import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, userInfo } from 'node:os';
import { basename, join } from 'node:path';
import type { Lock } from './failure.ts';

/**
 * Who runs Terraform on this machine: a file for each step that is about to take the state's
 * lock, removed when the step ends. One that is still there belongs to a step that is running
 * or was killed, which is what makes the death of a lock's owner provable.
 */
export interface Owner {
  /** The name of its file. */
  record: string;
  who: string;
  bootId: string;
  /** Another one's processes, as those of a container beside us, are not in our /proc. */
  pidNamespace: string;
  run: string;
  /** Milliseconds since the epoch. */
  started: number;
  /** Until when its Terraform may have taken the lock: one taken later is somebody else's. */
  until: number;
}

/** What a loaded machine needs at most to start Terraform, after the last wait for the lock. */
const START_MS = 120_000;

const DIRECTORY = '.compta-terraform-owners';

/**
 * @param patience for how long the step waits for the lock, in milliseconds
 * @returns the name of the record's file
 */
export async function recordOwner(env: NodeJS.ProcessEnv, patience: number): Promise<string> {
  const directory = ownersDirectory(env);
  const started = Date.now();
  const record = `${process.pid}-${started}.json`;
  await mkdir(directory, { recursive: true });
  const owner: Omit<Owner, 'record'> = {
    ...place(),
    run: `${env.GITHUB_REPOSITORY ?? ''} run ${env.GITHUB_RUN_ID ?? ''}`,
    started,
    until: started + patience + START_MS,
  };
  await writeFile(join(directory, record), JSON.stringify(owner));
  return record;
}

/**
 * All records of this machine but `own`; what ended while we looked, or was cut short, is none. An
 * earlier Terraform of this same step that could not give its lock back is one.
 */
export async function otherOwners(env: NodeJS.ProcessEnv, own: string): Promise<Owner[]> {
  const directory = ownersDirectory(env);
  const names = await readdir(directory).catch(() => []);
  const owners = await Promise.all(
    names
      .filter((name) => name !== own)
      .map(async (name) =>
        ownerIn(name, await readFile(join(directory, name), 'utf8').catch(() => '')),
      ),
  );
  return owners.flat();
}

function ownerIn(record: string, text: string): Owner[] {
  try {
    return [{ ...JSON.parse(text), record }];
  } catch {
    return [];
  }
}

/** Takes one record away: any other may be what proves another state's lock dead. */
export async function forgetOwner(env: NodeJS.ProcessEnv, record: string): Promise<void> {
  await rm(join(ownersDirectory(env), record), { force: true });
}

/** Start times, in milliseconds since the epoch, of every Terraform that runs on this machine. */
export function runningTerraforms(): number[] {
  const boot = Number(/^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1]) * 1000;
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => startOf(pid, boot));
}

function startOf(pid: string, boot: number): number[] {
  try {
    const program = basename(readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0] ?? '');
    if (program !== 'terraform' && program !== 'tofu') return [];
    // The name in parentheses may hold spaces; the start time is the 20th field after it, in ticks.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ');
    return [boot + Number(fields?.[19]) * 10];
  } catch {
    return []; // It ended while we looked.
  }
}

export interface Machine {
  who: string;
  bootId: string;
  pidNamespace: string;
  /** Start times of the Terraforms that run now. */
  running: readonly number[];
}

export function thisMachine(): Machine {
  return { ...place(), running: runningTerraforms() };
}

/** Clocks of /proc and of Terraform agree to a tick or two. */
const TOLERANCE_MS = 2_000;

/**
 * The owner of a lock when its death is proven: the lock was taken on this machine, by a step of
 * ours that never ended by itself, and no Terraform that could be it is running any more. A step
 * that ran where we do not see it, in a container beside us, may be running still.
 */
export function deadOwner(
  lock: Lock,
  owners: readonly Owner[],
  machine: Machine,
): Owner | undefined {
  const taken = Date.parse(lock.created.replace(/ \+0000 UTC$/, 'Z').replace(' ', 'T'));
  if (Number.isNaN(taken) || lock.who !== machine.who) return undefined;
  const candidates = owners
    .filter((owner) => owner.who === lock.who)
    .filter((owner) => owner.started <= taken + TOLERANCE_MS && taken <= owner.until)
    .sort((a, b) => b.started - a.started);
  const [latest] = candidates;
  if (latest === undefined) return undefined;
  const unseen = candidates.some(
    (owner) => owner.bootId === machine.bootId && owner.pidNamespace !== machine.pidNamespace,
  );
  if (unseen) return undefined;
  const rebooted = latest.bootId !== machine.bootId;
  const alive = machine.running.some((started) => started <= taken + TOLERANCE_MS);
  return rebooted || !alive ? latest : undefined;
}

function ownersDirectory(env: NodeJS.ProcessEnv): string {
  return join(env.RUNNER_TOOL_CACHE ?? '', DIRECTORY);
}

/** Who we are as Terraform's lock tells it: also in a container whose user id has no name. */
export function whoWeAre(account: () => { username: string }, env: NodeJS.ProcessEnv): string {
  try {
    return `${account().username}@${hostname()}`;
  } catch {
    return `${env.USER ?? ''}@${hostname()}`;
  }
}

/** Where a Terraform that we start runs, as its lock and the system tell it. */
function place(): Pick<Owner, 'who' | 'bootId' | 'pidNamespace'> {
  return {
    who: whoWeAre(userInfo, process.env),
    bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    pidNamespace: readlinkSync('/proc/self/ns/pid'),
  };
}
