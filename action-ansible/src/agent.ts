import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
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
  agent.on('error', () => {}); // seen below: the socket does not appear
  for (let tries = 0; !existsSync(socket) && tries < 100; tries += 1) await sleep(50);
  if (agent.pid === undefined || !existsSync(socket)) {
    throw new Error('ssh-agent could not be started: install the OpenSSH client.');
  }
  await run(['ssh-add', '-q', '-'], {
    env: { ...process.env, SSH_AUTH_SOCK: socket },
    input: privateKey,
  });
  const publicKeyFile = join(folder, 'key.pub');
  writeFileSync(publicKeyFile, publicHalf(privateKey), { mode: 0o600 });
  return { pid: agent.pid, socket, publicKeyFile, stop: () => void agent.kill('SIGTERM') };
}

function publicHalf(privateKey: string): string {
  const key = ssh2.utils.parseKey(privateKey);
  if (key instanceof Error) throw key;
  return `${key.type} ${key.getPublicSSH().toString('base64')}\n`;
}
