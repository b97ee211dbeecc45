import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Runner } from '../../lib/runner/runner.ts';

/** The one folder of a run, 0700, for the vault's password, the agent's socket and the rest. */
export function makeWorkspace(runner: Runner): string {
  // A short name: a control socket of SSH in it must stay below 108 characters.
  const folder = mkdtempSync(join(runner.temp, 'an-'));
  chmodSync(folder, 0o700);
  runner.saveState('workspace', folder);
  return folder;
}

export function removeWorkspace(runner: Runner, folder = runner.state('workspace')): void {
  const agent = Number(runner.state('agent'));
  if (agent > 0) endAgent(agent);
  if (folder !== '') rmSync(folder, { recursive: true, force: true });
}

function endAgent(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch {
    // It has ended with the main step, which is the usual case.
  }
}
