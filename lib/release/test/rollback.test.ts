import { describe, expect, test } from '@jest/globals';
import { broughtBy } from '../earlier.ts';
import { Host } from '../host.ts';
import type { Manifest } from '../manifest.ts';
import { isUnderWay, replacedBy, takenBack, whatGoesBack } from '../rollback.ts';
import { begunOn } from '../standing.ts';
import type { HistoryEntry } from '../store.ts';

/** A release whose services have these versions, each of them another image. */
const release = (name: string, services: Record<string, string>): Manifest => ({
  release: `${name}-0a1b2c3d`,
  version: name,
  environment: 'production',
  services: Object.fromEntries(
    Object.entries(services).map(([service, version]) => [
      service,
      { image: `${service}@${version}`, version, config: 'c' },
    ]),
  ),
  order: Object.keys(services),
  versionPaths: {},
  edge: { image: 'caddy', config: 'e' },
  createdAt: '',
});
const before = release('1', { auth: '1', books: '1', mail: '1' });
const ours = release('2', { auth: '2', books: '2', mail: '1' });
const theirs = release('3', { auth: '2', books: '3', mail: '1' });

const line = (now: Manifest, previous?: Manifest): HistoryEntry => ({
  at: '',
  action: 'deploy',
  release: now.release,
  version: now.version,
  previous: previous?.release ?? '',
  by: '',
  run: '',
  seconds: 1,
});

/** What goes back when `from` is to be taken back after these releases. */
function taken(released: Manifest[], from: string, services: string[] = [], begun: string[] = []) {
  const history = released.map((each, index) => line(each, released[index - 1]));
  const kept = new Map(released.map((each) => [each.release, each]));
  const now = released.at(-1) as Manifest;
  return whatGoesBack({ from, services }, now, broughtBy(history, kept, from, now), begun);
}

describe('a release that is to be taken back', () => {
  test('goes back as a whole when it is the current one, by its name or its version', () => {
    expect(taken([before, ours], ours.release)).toEqual([]);
    expect(taken([before, ours], '2')).toEqual([]);
  });

  test('goes back as a whole when it was begun and never became the current one', () => {
    expect(taken([before], ours.release, [], [ours.release])).toEqual([]);
  });

  test('takes back only what it brought and nobody released since', () => {
    expect(taken([before, ours, theirs], ours.release)).toEqual(['auth']);
    expect(taken([before, ours, theirs], ours.release, ['auth'])).toEqual(['auth']);
  });

  test.each([
    ['a service of it that was released since', [before, ours, theirs], ours.release, ['books']],
    ['a service that it did not bring', [before, ours, theirs], ours.release, ['mail']],
    ['what was taken back already', [before, ours, before], ours.release, []],
    ['what never was there', [before], ours.release, []],
  ])('is refused for %s', (_what, released, from, services) => {
    expect(() => taken(released, from, services)).toThrow(
      /^2-0a1b2c3d does not run here, but [13]: nothing was rolled back\.$/,
    );
  });
});

describe('a run that ended in the middle', () => {
  test('has not changed what is current: a rollback goes back to that', () => {
    expect(isUnderWay([ours.release], before, undefined)).toBe(true);
    expect(isUnderWay([ours.release], before, ours.release)).toBe(true);
    expect(isUnderWay([], before, undefined)).toBe(false);
    expect(isUnderWay([ours.release], before, theirs.release)).toBe(false);
  });

  test('was replacing services: these alone go back to what is current, for whoever names them', () => {
    const kept = new Map([before, ours, theirs].map((each) => [each.release, each]));
    expect(replacedBy([theirs.release], kept, ours, undefined)).toEqual(['books']);
    expect(replacedBy([theirs.release], kept, ours, theirs.release)).toEqual(['books']);
    expect(replacedBy([theirs.release], kept, ours, before.release)).toEqual([]);
    expect(replacedBy([ours.release], kept, ours, undefined)).toEqual([]);
  });

  test('has come to its end when its release is the current one: a rollback goes beyond it', () => {
    expect(isUnderWay([ours.release], ours, undefined)).toBe(false);
    expect(isUnderWay([ours.release], ours, ours.release)).toBe(false);
  });

  test('on a server that is behind counts if the others have just taken it back', async () => {
    const host = (journal?: object) =>
      Object.assign(new Host('', '', () => Promise.reject()), {
        content: async () => journal && JSON.stringify({ ...journal, token: 1 }),
      });
    const brings = host({ release: ours.release });
    const rolledBack = { ...line(before), at: '1', undoes: ours.release };
    const done = { host: host(), current: before, history: [rolledBack] };
    const left = { host: brings, current: ours, history: [] };
    expect(await begunOn([done, left])).toEqual([ours.release]);
    const beyond = { ...done, history: [{ ...line(theirs, before), at: '2' }], current: theirs };
    expect(await begunOn([beyond, left])).toEqual([]);
    // It was away before, and so had nothing to go back to: it waits for `compta converge`.
    const away = { ...left, current: undefined };
    expect(await begunOn([done, away])).toEqual([]);
    const undoes = host({ release: before.release, undoes: ours.release });
    expect(await begunOn([done, { ...away, host: undoes }])).toEqual([ours.release]);
  });

  test('was a rollback: the next one goes back to the same', () => {
    expect(takenBack([], ours, before, {})).toBe(ours.release);
    // Of what a killed run left, and of more.
    expect(takenBack([theirs.release], ours, before, {})).toBe(theirs.release);
    expect(takenBack([theirs.release], ours, before, { from: ours.release })).toBe(ours.release);
    expect(takenBack([theirs.release], ours, before, { version: '1' })).toBe(ours.release);
  });
});
