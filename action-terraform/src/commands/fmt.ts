import { join } from 'node:path';
import { fmtArgv } from '../argv.ts';
import { StepFailed } from '../failure.ts';
import type { Session } from '../session.ts';

/** An annotation on each line that `terraform fmt` would change. */
export async function fmt(session: Session): Promise<void> {
  const { inputs, runner } = session;
  const { stdout } = await session.terraform(fmtArgv, { allowedExitCodes: [0, 3] });
  const places = unformatted(stdout);
  if (places.length === 0) return;
  runner.info(stdout);
  for (const { file, startLine, endLine } of places) {
    runner.warning('Not in canonical format: run terraform fmt.', {
      file: join(inputs.directoryName, file),
      startLine,
      endLine,
    });
  }
  const files = [...new Set(places.map(({ file }) => file))];
  throw new StepFailed('not-formatted', `Not in canonical format: ${files.join(', ')}`);
}

export interface Place {
  file: string;
  /** Counted from 1, as the file is now. */
  startLine: number;
  endLine: number;
}

/** The runs of lines that `terraform fmt -diff` takes out or adds to. */
export function unformatted(diff: string): Place[] {
  const places: Place[] = [];
  let file = '';
  let line = 0;
  for (const text of diff.split('\n')) {
    const name = /^--- old\/(.+)$/.exec(text)?.[1];
    const hunk = /^@@ -(\d+)/.exec(text)?.[1];
    if (name !== undefined) file = name;
    else if (hunk !== undefined) line = Number(hunk);
    else if (text.startsWith('-')) mark(line++);
    else if (text.startsWith('+++')) continue;
    else if (text.startsWith('+')) mark(Math.max(1, line - 1));
    else if (text.startsWith(' ')) line += 1;
  }
  return places;

  function mark(at: number): void {
    const last = places.at(-1);
    if (last?.file === file && at <= last.endLine + 1) last.endLine = Math.max(last.endLine, at);
    else places.push({ file, startLine: at, endLine: at });
  }
}
