import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../lib/process/run.ts';
import type { Runner } from '../../lib/runner/runner.ts';

/** The one folder of a run, 0700, for the vault's password, the agent's socket and the rest. */
export function makeWorkspace(runner: Runner): string {
  // A short name: a control socket of SSH in it must stay below 108 characters.
  const folder = mkdtempSync(join(runner.temp, 'an-'));
  chmodSync(folder, 0o700);
  runner.saveState('workspace', folder);
  return folder;
}

/** Where Ansible's SSH puts its control sockets. */
export const controlSockets = (workspace: string): string => join(workspace, 'cp');

/** Ends what still runs for a workspace, and removes it: from the main step, or after it. */
export async function removeWorkspace(
  runner: Runner,
  folder = runner.state('workspace'),
): Promise<void> {
  const agent = Number(runner.state('agent'));
  if (agent > 0) endAgent(agent);
  if (folder === '') return;
  await endConnections(controlSockets(folder));
  // More than once: the agent takes its socket away meanwhile, and rmSync stops without a
  // word when something vanishes under it.
  for (let tries = 0; existsSync(folder) && tries < 20; tries += 1) {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
  if (existsSync(folder)) throw new Error(`${folder} could not be removed: it holds secrets.`);
}

/** SSH keeps a connection for a minute after its last use (ControlPersist). */
async function endConnections(sockets: string): Promise<void> {
  if (!existsSync(sockets)) return;
  for (const name of readdirSync(sockets)) {
    const control = `ControlPath=${join(sockets, name)}`;
    await run(['ssh', '-F', 'none', '-O', 'exit', '-o', control, 'host'], {
      allowedExitCodes: [0, 255], // 255: it has ended by itself
    });
  }
}

function endAgent(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch {
    // It has ended with the main step, which is the usual case.
  }
}
