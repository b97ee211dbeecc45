import { readdirSync, readFileSync } from 'node:fs';
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
  who: string;
  bootId: string;
  run: string;
  /** Milliseconds since the epoch. */
  started: number;
}

const DIRECTORY = '.compta-terraform-owners';

/** Names of this process's own records: one that was killed may have had its process id. */
const ours = new Set<string>();

/** @returns how to take the record away again */
export async function recordOwner(env: NodeJS.ProcessEnv): Promise<() => Promise<void>> {
  const directory = ownersDirectory(env);
  const started = Date.now();
  const name = `${process.pid}-${started}.json`;
  const file = join(directory, name);
  ours.add(name);
  await mkdir(directory, { recursive: true });
  const owner: Owner = {
    who: `${userInfo().username}@${hostname()}`,
    bootId: bootId(),
    run: `${env.GITHUB_REPOSITORY ?? ''} run ${env.GITHUB_RUN_ID ?? ''}`,
    started,
  };
  await writeFile(file, JSON.stringify(owner));
  return () => rm(file, { force: true });
}

/** All records of this machine but our own. One that is being written or removed is of a step that lives. */
export async function otherOwners(env: NodeJS.ProcessEnv): Promise<Owner[]> {
  const directory = ownersDirectory(env);
  const names = await readdir(directory).catch(() => []);
  const found = names
    .filter((name) => !ours.has(name))
    .map(async (name) => {
      try {
        return [JSON.parse(await readFile(join(directory, name), 'utf8')) as Owner];
      } catch {
        return [];
      }
    });
  return (await Promise.all(found)).flat();
}

/** Takes away the records of a dead owner and of those before it. */
export async function forgetOwners(env: NodeJS.ProcessEnv, until: Owner): Promise<void> {
  const directory = ownersDirectory(env);
  const began = (name: string) => Number(/-(\d+)\.json$/.exec(name)?.[1]);
  const dead = (await readdir(directory)).filter((name) => began(name) <= until.started);
  await Promise.all(dead.map((name) => rm(join(directory, name), { force: true })));
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
  /** Start times of the Terraforms that run now. */
  running: readonly number[];
}

export function thisMachine(): Machine {
  return {
    who: `${userInfo().username}@${hostname()}`,
    bootId: bootId(),
    running: runningTerraforms(),
  };
}

/** Clocks of /proc and of Terraform agree to a tick or two. */
const TOLERANCE_MS = 2_000;

/**
 * The owner of a lock when its death is proven: the lock was taken on this machine, by a step of
 * ours that never ended by itself, and no Terraform that could be it is running any more.
 */
export function deadOwner(
  lock: Lock,
  owners: readonly Owner[],
  machine: Machine,
): Owner | undefined {
  const taken = Date.parse(lock.created.replace(/ \+0000 UTC$/, 'Z').replace(' ', 'T'));
  if (Number.isNaN(taken) || lock.who !== machine.who) return undefined;
  const candidates = owners
    .filter((owner) => owner.who === lock.who && owner.started <= taken + TOLERANCE_MS)
    .sort((a, b) => b.started - a.started);
  const [latest] = candidates;
  if (latest === undefined) return undefined;
  const rebooted = latest.bootId !== machine.bootId;
  const alive = machine.running.some((started) => started <= taken + TOLERANCE_MS);
  return rebooted || !alive ? latest : undefined;
}

function ownersDirectory(env: NodeJS.ProcessEnv): string {
  return join(env.RUNNER_TOOL_CACHE ?? '', DIRECTORY);
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}
