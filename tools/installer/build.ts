import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import type { RunResult } from '../../lib/process/run.ts';

/** What a build gets from outside. */
export interface Build {
  /** The empty folder it fills; it keeps its place, so absolute paths into it may be written. */
  folder: string;
  /** The folder of pins.json, which paths in pins start from. */
  tools: string;
  cache: string;
  /** Runs a command; its output goes to the log of this build. */
  exec(argv: readonly string[], options?: ExecOptions): Promise<RunResult>;
}

export interface ExecOptions {
  cwd?: string;
  env?: Readonly<Record<string, string>>;
  allowedExitCodes?: readonly number[];
}

/** Hex digits. @throws Error when the file cannot be read. */
export async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** Where the PATH has a command, or undefined. */
export function onPath(command: string, path = process.env.PATH ?? ''): string | undefined {
  return path
    .split(':')
    .map((folder) => `${folder}/${command}`)
    .find((file) => existsSync(file));
}

/** The Python that `tools/install` found good enough. */
export function pythonCommand(): string {
  return process.env.COMPTA_PYTHON ?? 'python3';
}
