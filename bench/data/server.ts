import { makeWorld, type World } from '../../infra/ansible/roles/backup/test/world.ts';
import { run } from '../../lib/process/run.ts';
import { folderPrefix, removeLeftovers } from './leftovers.ts';

/** A database server for one scenario. */
export interface Server {
  world: World;
  print: (line: string) => void;
  /** Ends what runs when the bench is interrupted. */
  interrupted: AbortSignal;
}

/**
 * Has a database server for as long as the work takes; it is gone too when the bench is interrupted, and
 * with the next run when it was killed.
 */
export async function onServer<T>(
  settings: string,
  print: Server['print'],
  work: (server: Server) => Promise<T>,
): Promise<T> {
  await removeLeftovers();
  const world = makeWorld({ settings, prefix: folderPrefix() });
  const interruption = new AbortController();
  const interrupt = () => interruption.abort();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, interrupt);
  try {
    return await work({ world, print, interrupted: interruption.signal });
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, interrupt);
    world.stop();
  }
}

/** What a script of the roles answered, how long it took, and the most memory that one of its processes had. */
export interface Done {
  json: Record<string, unknown>;
  seconds: number;
  peak_MiB: number;
}

/** @throws CommandFailed when it does not come to a good end. */
export async function runScript(
  { world, print, interrupted: signal }: Server,
  script: string,
  args: readonly string[] = [],
): Promise<Done> {
  const begun = Date.now();
  const { stdout } = await run(['python3', '-c', PEAK, world.at('sbin', script), ...args], {
    input: world.identity,
    signal,
    onLine: (line, stream) => {
      if (stream === 'stderr') print(`  ${line}`);
    },
  });
  const lines = stdout.trim().split('\n');
  const peak = lines.pop();
  return {
    json: JSON.parse(lines.at(-1) ?? '{}') as Record<string, unknown>,
    seconds: tenths(Date.now() - begun),
    peak_MiB: Math.round(Number(peak) / 1024),
  };
}

/**
 * Runs a command, and tells the most memory in KiB that any one of its processes had; the server is none
 * of them. What interrupts it is for the command to answer.
 */
const PEAK = `import resource, signal, subprocess, sys
for each in (signal.SIGINT, signal.SIGTERM):
    signal.signal(each, lambda *_: None)
code = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)`;

/** Seconds, to a tenth. */
export const tenths = (milliseconds: number): number => Math.round(milliseconds / 100) / 10;
