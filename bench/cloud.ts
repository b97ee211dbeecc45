import { join } from 'node:path';
import { type RunResult, run } from '../lib/process/run.ts';
import { checkout } from '../local-cloud/claim.ts';
import { docker, findEngine } from '../local-cloud/hardware/engine.ts';
import { type Instance, nameOf } from '../local-cloud/instance.ts';

/** `local-cloud up` and the rest, as a person would type them. */
export async function cloud(command: 'up' | 'down' | 'reset'): Promise<void> {
  await run([process.execPath, join(checkout, 'local-cloud', 'cli.ts'), command], {
    onLine: (line) => console.log(line),
  });
}

/** Runs a command on a server, as root and without the network, as from its console. */
export async function atConsole(
  instance: Instance,
  server: string,
  argv: readonly string[],
): Promise<RunResult> {
  const engine = await findEngine(instance);
  if (!engine) throw new Error('The local cloud is down.');
  return docker(engine, ['exec', '--interactive', `${nameOf(instance)}-${server}`, ...argv]);
}
