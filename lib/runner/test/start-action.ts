import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../../..');

export interface Ended {
  exitCode: number | null;
  stdout: string;
  outputs: Record<string, string>;
  /** What main left for post. */
  state: Record<string, string>;
  summary: string;
  /** Messages of the `::error::` annotations, unescaped. */
  errors: string[];
  warnings: string[];
}

export interface Started {
  ended: Promise<Ended>;
  /** Waits until it has said this; rejects when it ends without. */
  said(words: string): Promise<void>;
  kill(signal: NodeJS.Signals): void;
}

/**
 * Starts an action's built bundle the way the runner does: a process of its own, inputs
 * as INPUT_*, command files in a folder that is gone afterwards.
 */
export function startAction(
  action: string,
  inputs: Record<string, string>,
  env: Record<string, string> = {},
  entry: 'main' | 'post' = 'main',
): Started {
  const temp = mkdtempSync(join(tmpdir(), 'compta-action-'));
  const file = (name: string) => join(temp, name);
  for (const name of ['output', 'summary', 'state', 'env']) writeFileSync(file(name), '');
  const child = spawn(process.execPath, [join(root, action, 'dist', entry, 'index.js')], {
    cwd: env.GITHUB_WORKSPACE ?? temp,
    env: {
      PATH: process.env.PATH,
      HOME: temp,
      RUNNER_TEMP: temp,
      GITHUB_WORKSPACE: temp,
      GITHUB_OUTPUT: file('output'),
      GITHUB_STEP_SUMMARY: file('summary'),
      GITHUB_STATE: file('state'),
      GITHUB_ENV: file('env'),
      GITHUB_REPOSITORY: 'compta/compta',
      GITHUB_RUN_ID: '42',
      GITHUB_SHA: '0123456789abcdef0123456789abcdef01234567',
      ...Object.fromEntries(
        Object.entries(inputs).map(([name, value]) => [inputName(name), value]),
      ),
      ...env,
    },
  });
  let stdout = '';
  const listeners = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      for (const listener of listeners) listener();
    });
  }
  const ended = new Promise<Ended>((done, failed) => {
    child.once('error', failed);
    child.once('close', (exitCode) => {
      const read = (name: string) =>
        existsSync(file(name)) ? readFileSync(file(name), 'utf8') : '';
      const result = {
        exitCode,
        stdout,
        outputs: outputsOf(read('output')),
        state: outputsOf(read('state')),
        summary: read('summary'),
        errors: commands(stdout, 'error'),
        warnings: commands(stdout, 'warning'),
      };
      rmSync(temp, { recursive: true, force: true, maxRetries: 10 });
      done(result);
    });
  });
  const said = (words: string): Promise<void> =>
    new Promise((found, failed) => {
      const look = (): void => {
        if (stdout.includes(words)) found();
      };
      listeners.add(look);
      look();
      const without = (): void => {
        const log = stdout.replaceAll(/^::add-mask::.*\n/gm, '');
        failed(new Error(`It ended without saying "${words}":\n${log}`));
      };
      ended.then(without, failed);
    });
  return { ended, said, kill: (signal) => child.kill(signal) };
}

export function runAction(
  action: string,
  inputs: Record<string, string>,
  env: Record<string, string> = {},
): Promise<Ended> {
  return startAction(action, inputs, env).ended;
}

/** Main, and then post with what main left for it. @returns how main ended. */
export async function runWithPost(
  ...[action, inputs, env = {}]: Parameters<typeof runAction>
): Promise<Ended> {
  const main = await runAction(action, inputs, env);
  const state = Object.entries(main.state).map(([name, value]) => [`STATE_${name}`, value]);
  await startAction(action, inputs, { ...env, ...Object.fromEntries(state) }, 'post').ended;
  return main;
}

/** The runner's own rule: spaces become underscores, dashes stay. */
function inputName(name: string): string {
  return `INPUT_${name.replaceAll(' ', '_').toUpperCase()}`;
}

/** GITHUB_OUTPUT's and GITHUB_STATE's `name<<delimiter … delimiter` records. */
function outputsOf(text: string): Record<string, string> {
  const records = text.matchAll(/^([^\n<]+)<<(ghadelimiter_[\w-]+)\n([\s\S]*?)\n?\2$/gm);
  return Object.fromEntries([...records].map(([, name = '', , value = '']) => [name, value]));
}

function commands(stdout: string, kind: string): string[] {
  return [...stdout.matchAll(new RegExp(`^::${kind}(?: [^:]*)?::(.*)$`, 'gm'))].map(
    ([, text = '']) => text.replaceAll('%0A', '\n').replaceAll('%0D', '\r').replaceAll('%25', '%'),
  );
}
