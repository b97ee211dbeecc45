import { mkdir, readdir, readFile, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CommandFailed, type RunOptions, type RunResult, run } from '../../lib/process/run.ts';
import { type Instance, nameOf } from '../instance.ts';
import { isAlive, runningPid, startDaemon, stopDaemon } from './daemon.ts';

/** A Docker daemon on this very machine. */
export interface Engine {
  /** As in DOCKER_HOST. */
  host: string;
  /** Whether we started it, and so may stop it and throw its data away. */
  own: boolean;
}

const READY_WITHIN_MS = 60_000;
const STOP_WITHIN_MS = 30_000;

/** Directory for sockets and pid files: short paths, gone with a reboot. */
export function runDirectory(instance: Instance): string {
  return `/run/${nameOf(instance)}`;
}

/** Runs the docker client against the engine. @throws CommandFailed */
export function docker(
  engine: Engine,
  args: readonly string[],
  options: Omit<RunOptions, 'env'> = {},
): Promise<RunResult> {
  return run(['docker', ...args], {
    ...options,
    env: { ...process.env, DOCKER_HOST: engine.host },
  });
}

/** The engine in use now, without starting one: ours, else one that answers, else null. */
export async function findEngine(instance: Instance): Promise<Engine | null> {
  const own = ownEngine(instance);
  if ((await runningPid(pidFile(instance))) !== null && (await answers(own))) return own;
  const hosts = [process.env.DOCKER_HOST, 'unix:///var/run/docker.sock'];
  for (const host of hosts) {
    if (host?.startsWith('unix://') && host !== own.host && (await answers({ host, own: false }))) {
      return { host, own: false };
    }
  }
  return null;
}

/**
 * Finds an engine or starts our own.
 *
 * Ours makes no bridge and touches no packet filter: servers get their interfaces from
 * the router's namespace. Its data lies in the state directory.
 *
 * @throws Error when it does not answer within a minute.
 */
export async function ensureEngine(instance: Instance, log: (line: string) => void) {
  const found = await findEngine(instance);
  if (found) return found;
  await stopDaemon(pidFile(instance), STOP_WITHIN_MS); // one that runs but does not answer
  const directory = runDirectory(instance);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  // What kill -9 leaves and dockerd takes for running processes, even where they are zombies.
  await removeStalePid(join(directory, 'dockerd.pid'));
  await removeStalePid(join(directory, 'exec', 'containerd', 'containerd.pid'));
  log('starting a Docker daemon of our own');
  const engine = ownEngine(instance);
  const logFile = join(instance.stateDirectory, 'log', 'dockerd.log');
  await startDaemon({
    argv: [
      'dockerd',
      '--bridge=none',
      '--iptables=false',
      '--ip6tables=false',
      '--ip-forward=false',
      `--host=${engine.host}`,
      `--data-root=${dataRoot(instance)}`,
      `--exec-root=${join(directory, 'exec')}`,
      `--pidfile=${join(directory, 'dockerd.pid')}`,
    ],
    pidFile: pidFile(instance),
    logFile,
  });
  for (const deadline = Date.now() + READY_WITHIN_MS; ; await sleep(100)) {
    if (await answers(engine)) return engine;
    if ((await runningPid(pidFile(instance))) === null || Date.now() > deadline) {
      const last = (await readFile(logFile, 'utf8')).trimEnd().split('\n').slice(-5).join('\n');
      throw new Error(`the Docker daemon did not come up, its log ${logFile} ends with:\n${last}`);
    }
  }
}

/** Stops our own engine and removes its data; another's is left alone. */
export async function removeOwnEngine(instance: Instance): Promise<void> {
  await stopDaemon(pidFile(instance), STOP_WITHIN_MS);
  // After a kill -9 the next daemon no longer knows which mounts were its predecessor's.
  await unmountBelow([dataRoot(instance), runDirectory(instance)]);
  await rm(dataRoot(instance), { recursive: true, force: true });
  await rm(runDirectory(instance), { recursive: true, force: true });
  await removeEmptyGroups(['docker', 'buildkit']);
}

/**
 * Removes what Docker and BuildKit leave when their last container goes: the parent of all
 * its control groups, one in each hierarchy of version 1. The kernel keeps those in use.
 */
async function removeEmptyGroups(names: readonly string[]): Promise<void> {
  const root = '/sys/fs/cgroup';
  const trees = await readdir(root, { withFileTypes: true });
  const parents = [root, ...trees.filter((e) => e.isDirectory()).map((e) => join(root, e.name))];
  const groups = parents.flatMap((parent) => names.map((name) => join(parent, name)));
  await Promise.allSettled(groups.map((group) => rmdir(group)));
}

function ownEngine(instance: Instance): Engine {
  return { host: `unix://${join(runDirectory(instance), 'docker.sock')}`, own: true };
}

function pidFile(instance: Instance): string {
  return join(runDirectory(instance), 'dockerd.identity');
}

function dataRoot(instance: Instance): string {
  return join(instance.stateDirectory, 'docker');
}

/** A rootless engine lives in namespaces of its own, where we cannot plumb interfaces. */
async function answers(engine: Engine): Promise<boolean> {
  try {
    const format = '{{.ServerVersion}} {{json .SecurityOptions}}';
    const { stdout } = await docker(engine, ['info', '--format', format], { timeoutMs: 10_000 });
    return /^\d/.test(stdout) && !stdout.includes('name=rootless');
  } catch (error) {
    if (error instanceof CommandFailed && error.exitCode !== undefined) return false;
    throw new Error('the docker client cannot be run: install docker.io', { cause: error });
  }
}

async function removeStalePid(file: string): Promise<void> {
  const pid = Number(await readFile(file, 'utf8').catch(() => ''));
  if (pid > 0 && !(await isAlive(pid))) await rm(file, { force: true });
}

/** Unmounts the directories and all below, the deepest first. */
async function unmountBelow(directories: readonly string[]): Promise<void> {
  const points = (await readFile('/proc/mounts', 'utf8')).split('\n').flatMap((line) => {
    const point = line.split(' ')[1] ?? '';
    return directories.some((d) => point === d || point.startsWith(`${d}/`)) ? point : [];
  });
  for (const point of points.reverse()) await run(['umount', '--lazy', point]);
}
