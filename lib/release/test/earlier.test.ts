import { describe, expect, test } from '@jest/globals';
import {
  componentBefore,
  componentOf,
  releaseBefore,
  releaseOf,
  releasesToKeep,
} from '../earlier.ts';
import type { Manifest } from '../manifest.ts';
import { leaderOf, momentAfter } from '../standing.ts';
import type { HistoryEntry } from '../store.ts';

const entry = (action: HistoryEntry['action'], release: string, previous: string, at = '') => ({
  at,
  action,
  release,
  version: release,
  previous,
  by: 'me',
  run: '',
  seconds: 1,
});
/** A release of the services' versions, such as `auth: '1'`. */
const manifest = (release: string, versions: Record<string, string>): Manifest => ({
  release,
  version: release,
  environment: 'staging',
  services: Object.fromEntries(
    Object.entries(versions).map(([service, version]) => [
      service,
      { image: `registry/${service}@sha256:${version}`, version, config: 'c' },
    ]),
  ),
  order: Object.keys(versions),
  versionPaths: {},
  edge: { image: 'caddy', config: 'e' },
  createdAt: '',
});
const keptOf = (...manifests: Manifest[]) =>
  new Map(manifests.map((each) => [each.release, each] as const));

describe('the release before', () => {
  const history = [
    entry('deploy', 'r1', ''),
    entry('deploy', 'r2', 'r1'),
    entry('deploy', 'r3', 'r2'),
    entry('rollback', 'r2', 'r3'),
  ];

  test('is one further back after a rollback', () => {
    expect(releaseBefore(history, 'r3')).toBe('r2');
    expect(releaseBefore(history, 'r2')).toBe('r1');
    expect(releaseBefore(history, 'r1')).toBeUndefined();
  });

  test('stays on the servers, however few are kept', () => {
    expect(releasesToKeep(history, 3, new Map(), 'r2').sort()).toEqual(['r1', 'r2', 'r3']);
    expect(releasesToKeep(history, 1, new Map(), 'r2').sort()).toEqual(['r1', 'r2']);
  });
});

describe('what a service ran before', () => {
  const history = [
    entry('deploy', 'r1', ''),
    entry('deploy', 'r2', 'r1'),
    entry('deploy', 'r3', 'r2'),
    entry('deploy', 'r4', 'r3'),
    entry('deploy', 'r5', 'r4'),
  ];
  const kept = keptOf(
    manifest('r1', { auth: '1', ledger: '1' }),
    manifest('r2', { auth: '2', ledger: '1' }),
    manifest('r3', { auth: '2', ledger: '3' }),
    manifest('r4', { auth: '2', ledger: '4' }),
    manifest('r5', { auth: '2', ledger: '5' }),
  );
  const now = kept.get('r5')?.services ?? {};

  test("does not depend on other services' releases", () => {
    expect(componentBefore(history, kept, 'auth', now.auth as never)?.version).toBe('1');
    expect(componentBefore(history, kept, 'ledger', now.ledger as never)?.version).toBe('4');
  });

  test('is one further back after a rollback', () => {
    const later = [...history, entry('rollback', 'r6', 'r5')];
    const more = new Map([...kept, ['r6', manifest('r6', { auth: '2', ledger: '4' })] as const]);
    const ledger = more.get('r6')?.services.ledger as never;
    expect(componentBefore(later, more, 'ledger', ledger)?.version).toBe('3');
  });

  test('is found by its own version, and by the name of a release', () => {
    expect(componentOf(history, kept, 'ledger', '3')?.version).toBe('3');
    expect(componentOf(history, kept, 'ledger', 'r2')?.version).toBe('1');
    expect(componentOf(history, kept, 'ledger', '7')).toBeUndefined();
  });

  test('stays on the servers, however many others were released since', () => {
    expect(releasesToKeep(history, 2, kept, 'r5').sort()).toEqual(['r1', 'r2', 'r4', 'r5']);
  });
});

describe('a version that was asked for', () => {
  const at = (version: string, release: string, action: HistoryEntry['action'] = 'deploy') => ({
    ...entry(action, release, ''),
    version,
  });
  // The last one is a rollback of auth alone.
  const history = [at('1.0', '1.0-a'), at('1.1', '1.1-b'), at('1.0', '1.0-c', 'rollback')];
  const kept = keptOf(
    { ...manifest('1.0-a', { auth: '1.0', ledger: '1.0' }), version: '1.0' },
    { ...manifest('1.1-b', { auth: '1.1', ledger: '1.1' }), version: '1.1' },
    { ...manifest('1.0-c', { auth: '1.0', ledger: '1.1' }), version: '1.0' },
  );

  test('is what was deployed as it, not what some services went back to', () => {
    expect(releaseOf(history, '1.0')).toBe('1.0-a');
    expect(releaseOf(history, '1.0-c')).toBe('1.0-c');
    expect(releaseOf(history, '2.0')).toBeUndefined();
  });

  test("is a service's own before it is a release's", () => {
    expect(componentOf(history, kept, 'ledger', '1.0')?.version).toBe('1.0');
    expect(componentOf(history, kept, 'ledger', '1.0-c')?.version).toBe('1.1');
  });
});

describe('what an environment runs', () => {
  const r2 = manifest('r2', { auth: '2' });
  const r3 = manifest('r3', { auth: '3' });
  const standing = (current: Manifest | undefined, ...at: string[]) => ({
    current,
    history: at.map((time) => entry('deploy', current?.release ?? '', '', time)),
  });

  test('is told by the server that was there last, even when that was a rollback', () => {
    const away = standing(r3, '2026-01-01', '2026-01-02');
    const rolledBack = standing(r2, '2026-01-01', '2026-01-02', '2026-01-03');
    expect(leaderOf([away, rolledBack])?.current).toBe(r2);
  });

  test('is not told by a server that has been given the history and not yet the release', () => {
    const history = [
      entry('deploy', 'r2', '', '2026-01-01'),
      entry('deploy', 'r3', 'r2', '2026-01-02'),
    ];
    const behind = { current: r2, history };
    const leader = { current: r3, history };
    expect(leaderOf([leader, behind])?.current).toBe(r3);
    expect(leaderOf([behind, leader])?.current).toBe(r3);
  });

  test('is told right though the clock of who released last is behind', () => {
    const [first, second] = ['2026-01-01T00:10:00.000Z', '2026-01-01T00:09:00.000Z'];
    const at = momentAfter([first], Date.parse('2026-01-01T00:05:00Z'));
    expect(at).toBe('2026-01-01T00:10:00.001Z');
    expect(leaderOf([standing(r2, second, first), standing(r3, first, at)])?.current).toBe(r3);
    expect(momentAfter([first], Date.parse('2026-01-02T00:00:00Z'))).toBe(
      '2026-01-02T00:00:00.000Z',
    );
  });

  test('is not told by a new server', () => {
    expect(leaderOf([standing(undefined), standing(r2, '2026-01-01')])?.current).toBe(r2);
    expect(leaderOf([standing(undefined)])).toBeUndefined();
  });
});
