import { describe, expect, it } from '@jest/globals';
import { logOf, placesToCut } from '../release/kills.ts';

type Log = Parameters<typeof logOf>[0]['moments'];

/** `at kind host what` a line. */
const log = (...lines: string[]): Log =>
  lines.map((line) => {
    const [at, kind, host, what] = line.split(' ') as [string, Log[0]['kind'], string, string];
    return { at: Number(at), kind, host: host === 'all' ? '' : host, what, name: line.slice(3) };
  });

const cut = (...lines: string[]): string[] => placesToCut(logOf({ moments: log(...lines) }));

describe('where a release is cut off', () => {
  it('is before and after every step, each once', () => {
    expect(
      cut(
        '10 begin app-1 start',
        '30 note app-1 waits',
        '50 end app-1 start',
        '60 end app-1 start',
      ),
    ).toEqual(['begin app-1 start', 'end app-1 start']);
  });

  it('is one place where a step begins as the one before it ends', () => {
    expect(
      cut(
        '10 begin app-1 start',
        '50 end app-1 start',
        '51 begin app-1 prove',
        '90 end app-1 prove',
      ),
    ).toEqual(['begin app-1 start', 'begin app-1 prove', 'end app-1 prove']);
    expect(cut('10 end all ask', '10 begin app-1 record', '10 begin app-2 record')).toEqual([
      'begin app-1 record',
      'begin app-2 record',
    ]);
  });

  it('is two places where something is done in between, or on another server', () => {
    expect(cut('10 end app-1 start', '30 begin app-1 prove')).toHaveLength(2);
    expect(cut('10 end app-1 start', '11 begin app-2 start')).toHaveLength(2);
  });
});
