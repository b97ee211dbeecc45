import { elapsed } from '../report/markdown.ts';

/** Something that a release began, ended or has to say; together they are its event log. */
export interface Moment {
  /** Milliseconds since the epoch. */
  at: number;
  kind: 'begin' | 'end' | 'failed' | 'note';
  /** '' for what concerns every host. */
  host: string;
  what: string;
  /** Milliseconds since its begin, of an end or a failure. */
  took?: number;
}

export type Tell = (moment: Moment) => void;

/** Does one step of a release and tells its begin and its end. */
export async function step<T>(
  tell: Tell,
  host: string,
  what: string,
  body: () => Promise<T>,
): Promise<T> {
  const begun = Date.now();
  tell({ at: begun, kind: 'begin', host, what });
  const close = (kind: 'end' | 'failed'): void => {
    const at = Date.now();
    tell({ at, kind, host, what, took: at - begun });
  };
  try {
    const result = await body();
    close('end');
    return result;
  } catch (error) {
    close('failed');
    throw error;
  }
}

/** A line that is neither begin nor end: what is waited for, what was found. */
export function note(tell: Tell, host: string, what: string): void {
  tell({ at: Date.now(), kind: 'note', host, what });
}

const signs: Record<Moment['kind'], string> = { begin: '▶', end: '✓', failed: '✗', note: '·' };

/**
 * The event log as a table that grows line by line: time since the start, host, what, how long.
 * @param widest length of the longest host name.
 */
export function progressTable(print: (line: string) => void, widest: number): Tell {
  const started = Date.now();
  const host = (name: string): string => name.padEnd(Math.max(widest, 4));
  print(`      TIME  ${host('HOST')}    STEP`);
  return (moment) => {
    const time = `${((moment.at - started) / 1000).toFixed(1)} s`.padStart(10);
    const took = moment.took === undefined ? '' : `  (${elapsed(moment.took)})`;
    print(`${time}  ${host(moment.host)}  ${signs[moment.kind]} ${moment.what}${took}`);
  };
}
