import { createWriteStream, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../lib/process/run.ts';
import type { Build } from './build.ts';

export interface Log {
  path: string;
  exec: Build['exec'];
  write(line: string): void;
  close(): Promise<void>;
}

/** `$CACHE/logs/<name>.log`: each command and what it said, of the last attempt. */
export function openLog(cache: string, name: string, signal: AbortSignal): Log {
  mkdirSync(join(cache, 'logs'), { recursive: true });
  const path = join(cache, 'logs', `${name}.log`);
  const stream = createWriteStream(path);
  const write = (line: string) => void stream.write(`${line}\n`);
  return {
    path,
    write,
    exec(argv, { env, ...options } = {}) {
      write(`$ ${argv.join(' ')}`);
      return run(argv, {
        ...options,
        env: { ...process.env, ...env },
        signal,
        onLine: write,
      });
    },
    close: () => new Promise((resolve) => stream.end(resolve)),
  };
}
