import { createWriteStream, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

export interface LoggedRequest {
  time: string;
  method: string;
  /** With the query; never headers or bodies, which may hold secrets. */
  path: string;
  status: number;
  ms: number;
}

/** Appends one JSON line for every request. */
export function openRequestLog(file: string) {
  mkdirSync(dirname(file), { recursive: true });
  const stream = createWriteStream(file, { flags: 'a', mode: 0o600 });
  return {
    write(request: LoggedRequest): void {
      stream.write(`${JSON.stringify(request)}\n`);
    },
    close(): Promise<void> {
      return new Promise((resolve) => stream.end(resolve));
    },
  };
}
