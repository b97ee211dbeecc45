import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestEnvironment } from '../../lib/release/test/fixture/environment.ts';

const repository = new URL('../../', import.meta.url).pathname;

export interface Ended {
  code: number | null;
  stdout: string;
  outputs: Record<string, string>;
  summary: string;
}

interface Start {
  entry?: 'main' | 'post';
  state?: Record<string, string>;
  /** What the runner's environment has besides. */
  env?: Record<string, string>;
}

/** Starts an action's built bundle as the runner does, with real inputs and command files. */
export function start(
  action: string,
  inputs: Record<string, string>,
  { entry = 'main', state = {}, env: more = {} }: Start = {},
): { child: ChildProcess; said: (words: string) => Promise<void>; ended: Promise<Ended> } {
  const temp = mkdtempSync(join(tmpdir(), 'compta-action-'));
  const files = { GITHUB_OUTPUT: 'output', GITHUB_STEP_SUMMARY: 'summary', GITHUB_STATE: 'state' };
  const env: NodeJS.ProcessEnv = {
    PATH: process.env.PATH,
    HOME: temp,
    RUNNER_TEMP: temp,
    ...more,
  };
  for (const [name, file] of Object.entries(files)) {
    env[name] = join(temp, file);
    writeFileSync(join(temp, file), '');
  }
  for (const [name, value] of Object.entries(inputs)) {
    env[`INPUT_${name.toUpperCase()}`] = value;
  }
  for (const [name, value] of Object.entries(state)) env[`STATE_${name}`] = value;
  const bundle = join(repository, action, 'dist', entry, 'index.js');
  const child = spawn(process.execPath, [bundle], { cwd: repository, env });
  let stdout = '';
  const listeners = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (data: string) => {
    stdout += data;
    for (const listener of listeners) listener();
  });
  child.stderr.setEncoding('utf8').on('data', (data: string) => {
    stdout += data;
  });
  const read = (file: string): string => readFileSync(join(temp, file), 'utf8');
  const ended = new Promise<Ended>((resolve) => {
    child.once('close', (code) => {
      resolve({ code, stdout, outputs: commands(read('output')), summary: read('summary') });
    });
  });
  const said = (words: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (stdout.includes(words)) resolve();
      };
      listeners.add(look);
      look();
      void ended.then(() => {
        const log = stdout.replaceAll(/^::add-mask::.*\n/gm, '');
        reject(new Error(`It ended without saying "${words}":\n${log}`));
      });
    });
  return { child, said, ended };
}

/** The runner's command files: `name<<delimiter`, value, delimiter. */
function commands(text: string): Record<string, string> {
  const pattern = /^(.+?)<<(\S+)\n([\s\S]*?)\n\2$/gm;
  return Object.fromEntries([...text.matchAll(pattern)].map((match) => [match[1], match[3] ?? '']));
}

/** Inputs by which a deploy or a rollback reaches a test's servers. */
export function connectionTo({ test: servers, base }: TestEnvironment): Record<string, string> {
  return {
    environment: 'staging',
    hosts: servers.hosts.map(({ name, ssh }) => `${name}=${ssh}`).join('\n'),
    'known-hosts': servers.knownHosts,
    'jump-host': servers.bastion,
    port: String(servers.port),
    'private-key': servers.privateKey,
    'base-url': base,
    'edge-drain': '1s',
    batch: '2',
  };
}
