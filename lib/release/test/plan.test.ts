import { describe, expect, test } from '@jest/globals';
import type { Manifest } from '../manifest.ts';
import { inOrder, isEmpty, planHost } from '../plan.ts';
import type { HostState, Slot } from '../slots.ts';

const image = (letter: string): string => `registry/auth@sha256:${letter.repeat(64)}`;
const component = (letter: string, config = 'c1') => ({
  image: image(letter),
  version: letter,
  config,
});
const manifest = (letter: string, config?: string): Manifest => ({
  release: `r-${letter}`,
  version: letter,
  environment: 'staging',
  services: { auth: component(letter, config) },
  order: ['auth'],
  versionPaths: {},
  edge: { image: 'caddy', config: 'e1' },
  createdAt: '2026-01-01T00:00:00Z',
});
const slot = (name: 'a' | 'b', letter: string, changes: Partial<Slot> = {}): Slot => ({
  ...component(letter),
  id: name,
  service: 'auth',
  slot: name,
  release: '',
  health: 'healthy',
  startedAt: name === 'a' ? '2026-01-01T00:00:00Z' : '2026-01-01T00:01:00Z',
  address: '172.17.0.2',
  ...changes,
});
const state = (...slots: Slot[]): HostState => ({
  slots,
  edge: { id: 'caddy', image: 'caddy', config: 'e1', address: '172.17.0.9' },
  outOfRotation: false,
});
const steps = (now: HostState, target: Manifest, current?: Manifest): string[] =>
  planHost(now, target, current).services.flatMap((service) =>
    service.steps.map((step) => `${step.kind} ${step.slot}`),
  );

describe('a service on a host', () => {
  test('that never ran starts in slot a', () => {
    expect(steps(state(), manifest('1'))).toEqual(['start a', 'await a', 'prove a']);
  });

  test('with another image is swapped into the idle slot', () => {
    expect(steps(state(slot('a', '1')), manifest('2'), manifest('1'))).toEqual([
      'start b',
      'await b',
      'prove b',
      'retire a',
    ]);
    expect(steps(state(slot('b', '1')), manifest('2'), manifest('1'))).toEqual([
      'start a',
      'await a',
      'prove a',
      'retire b',
    ]);
  });

  test('with the same image and configuration is not touched', () => {
    const plan = planHost(state(slot('b', '1')), manifest('1'), manifest('1'));
    expect(isEmpty(plan)).toBe(true);
  });

  test('with another configuration only is swapped', () => {
    expect(steps(state(slot('a', '1')), manifest('1', 'c2'), manifest('1'))).toContain('start b');
  });

  test('with the same image under another version is swapped: it would answer with the former', () => {
    const then = manifest('1');
    then.services = { auth: { ...component('1'), version: '2' } };
    expect(steps(state(slot('a', '1')), then, manifest('1'))).toContain('start b');
  });

  test('whose only container is unhealthy gets a new one', () => {
    expect(steps(state(slot('a', '1', { health: 'unhealthy' })), manifest('1'))).toEqual([
      'start b',
      'await b',
      'prove b',
      'retire a',
    ]);
  });
});

describe('what a killed run left', () => {
  const both = state(slot('a', '1'), slot('b', '2'));

  test('is finished by the same release', () => {
    expect(steps(both, manifest('2'), manifest('1'))).toEqual(['settle b', 'retire a']);
  });

  test('is waited for when it still starts', () => {
    const starting = state(slot('a', '1'), slot('b', '2', { health: 'starting' }));
    expect(steps(starting, manifest('2'), manifest('1'))).toEqual(['settle b', 'retire a']);
  });

  test('is undone by a rollback', () => {
    expect(steps(both, manifest('1'), manifest('1'))).toEqual(['settle a', 'retire b']);
  });

  test('gives way to a third release, the current one serving on', () => {
    expect(steps(both, manifest('3'), manifest('1'))).toEqual([
      'settle a',
      'retire b',
      'start b',
      'await b',
      'prove b',
      'retire a',
    ]);
  });

  test('that never became healthy is retired, whichever is wanted', () => {
    const failed = state(slot('a', '1'), slot('b', '2', { health: 'unhealthy' }));
    expect(steps(failed, manifest('1'), manifest('1'))).toEqual(['settle a', 'retire b']);
    expect(steps(failed, manifest('2'), manifest('1'))[0]).toBe('settle a');
  });
});

describe('a service that the release does not have any more', () => {
  const two: Manifest = {
    ...manifest('1'),
    services: { mail: component('1'), auth: component('1') },
    order: ['mail', 'auth'],
  };
  const mail = (name: 'a' | 'b', changes: Partial<Slot> = {}): Slot =>
    slot(name, '1', { service: 'mail', ...changes });
  const named = (now: HostState, target: Manifest, current: Manifest): string[] =>
    planHost(now, target, current).services.flatMap(({ steps }) =>
      steps.map(({ kind, service, slot }) => `${kind} ${service}-${slot}`),
    );

  test('ends when all the others are through, in whichever slots it runs', () => {
    const now = state(mail('b'), mail('a', { health: 'starting' }), slot('a', '1'));
    expect(named(now, manifest('2'), two)).toEqual([
      'start auth-b',
      'await auth-b',
      'prove auth-b',
      'retire auth-a',
      'end mail-b',
      'end mail-a',
    ]);
    expect(planHost(now, manifest('2'), two).services.at(-1)).toMatchObject({ from: '1', to: '' });
  });

  test('is something to do, though nothing else is', () => {
    const now = state(mail('a'), slot('a', '1'));
    expect(isEmpty(planHost(now, manifest('1'), manifest('1')))).toBe(false);
  });

  test('is brought back by a rollback before those that call it', () => {
    expect(named(state(slot('b', '2')), two, manifest('2'))).toEqual([
      'start mail-a',
      'await mail-a',
      'prove mail-a',
      'start auth-a',
      'await auth-a',
      'prove auth-a',
      'retire auth-b',
    ]);
  });
});

test('a service boots while the one before it comes into rotation and is drained', () => {
  const target: Manifest = {
    ...manifest('2'),
    services: { auth: component('2'), mail: component('1'), books: component('2') },
    order: ['auth', 'mail', 'books'],
  };
  const now = state(
    slot('a', '1'),
    slot('a', '1', { service: 'mail' }),
    slot('b', '1', { service: 'books' }),
  );
  const order = inOrder(planHost(now, target, undefined));
  expect(order.map(({ step }) => `${step.kind} ${step.service}-${step.slot}`)).toEqual([
    'start auth-b',
    'await auth-b',
    'start books-a',
    'prove auth-b',
    'retire auth-a',
    'await books-a',
    'prove books-a',
    'retire books-b',
  ]);
});

test('Caddy is started when it is missing, and replaced when its file changed', () => {
  expect(planHost({ ...state(), edge: undefined }, manifest('1'), undefined).edge).toBe('start');
  const other = { ...manifest('1'), edge: { image: 'caddy', config: 'e2' } };
  expect(planHost(state(), other, undefined).edge).toBe('replace');
  expect(planHost(state(), manifest('1'), undefined).edge).toBe('keep');
});

test("Caddy that would start with another release's file is made to read its own", () => {
  const target = { ...manifest('1'), edge: { image: 'caddy', config: 'e1', caddyfile: 'f1' } };
  const lies = (caddyfile: string) => planHost({ ...state(), caddyfile }, target, target).edge;
  expect([lies('f1'), lies('f2')]).toEqual(['keep', 'replace']);
});

test('a host that was out of rotation shows that it serves everything before it comes back', () => {
  const out = { ...state(slot('a', '1')), outOfRotation: true };
  const plan = planHost(out, manifest('1'), manifest('1'));
  expect(plan).toMatchObject({ join: true, edge: 'keep' });
  expect(steps(out, manifest('1'), manifest('1'))).toEqual(['settle a']);
});
