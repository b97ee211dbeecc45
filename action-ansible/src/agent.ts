import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import ssh2 from 'ssh2';
import { run } from '../../lib/process/run.ts';

export interface Agent {
  pid: number;
  socket: string;
  /** The public half, by which SSH finds the key in the agent. */
  publicKeyFile: string;
  stop(): void;
}

/** An ssh-agent that holds the one key: handed over on standard input, never on disk. */
export async function startAgent(privateKey: string, folder: string): Promise<Agent> {
  const socket = join(folder, 'agent');
  const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore', detached: true });
  agent.on('error', () => {}); // seen below: it has no pid
  const stop = () => void agent.kill('SIGTERM');
  try {
    await handOver(agent, socket, privateKey);
  } catch (error) {
    stop();
    throw error;
  }
  const publicKeyFile = join(folder, 'key.pub');
  writeFileSync(publicKeyFile, publicHalf(privateKey), { mode: 0o600 });
  return { pid: agent.pid ?? 0, socket, publicKeyFile, stop };
}

const STARTS_WITHIN_MS = 30_000;
const NO_AGENT_YET = 2;

/** Until it is taken: the socket is there a moment before somebody listens on it. */
async function handOver(agent: ChildProcess, socket: string, privateKey: string): Promise<void> {
  const env = { ...process.env, SSH_AUTH_SOCK: socket };
  const deadline = Date.now() + STARTS_WITHIN_MS;
  while (agent.pid !== undefined && agent.exitCode === null && Date.now() < deadline) {
    const { exitCode } = await run(['ssh-add', '-q', '-'], {
      env,
      input: privateKey,
      allowedExitCodes: [0, NO_AGENT_YET],
    });
    if (exitCode === 0) return;
    await sleep(50);
  }
  throw new Error('ssh-agent could not be started: install the OpenSSH client.');
}

function publicHalf(privateKey: string): string {
  const key = ssh2.utils.parseKey(privateKey);
  if (key instanceof Error) throw key;
  return `${key.type} ${key.getPublicSSH().toString('base64')}\n`;
}
