import { describe, expect, test } from '@jest/globals';
import type { Manifest } from '../manifest.ts';
import { afterMigration, compareVersions, refuseContracted } from '../schema.ts';

const image = (letter: string): string => `registry/ledger@sha256:${letter}`;
const running = (letter: string) =>
  ({
    services: { ledger: { image: image(letter), version: letter, config: 'c' } },
  }) as unknown as Manifest;

const service = 'ledger';
const none = { images: {}, contracted: {} };
const first = afterMigration(none, { service, image: image('a'), version: '9' });
const second = afterMigration(first, { service, image: image('b'), version: '10' });
const third = afterMigration(second, {
  service,
  image: image('c'),
  version: '11',
  contracted: '10',
});

describe('a rollback past a migration', () => {
  test('is fine as long as scripts only add', () => {
    expect(() => refuseContracted(second, running('a'), running('b'))).not.toThrow();
  });

  test('is refused once a script took away what that version needs', () => {
    expect(() => refuseContracted(third, running('a'), running('c'))).toThrow(
      /^ledger a cannot be put back: script 10 took away .* its scripts end at 9\./,
    );
  });

  test('is fine to a version that ships that script itself', () => {
    expect(() => refuseContracted(third, running('b'), running('c'))).not.toThrow();
  });

  test('is refused to a version of which nobody knows', () => {
    expect(() => refuseContracted(third, running('x'), running('c'))).toThrow(/never migrated/);
  });

  test('does not concern what stays as it is', () => {
    expect(() => refuseContracted(third, running('a'), running('a'))).not.toThrow();
  });
});

test.each([
  ['2', '10', -1],
  ['2.1', '2', 1],
  ['2_1', '2.1', 0],
  ['1.0', '1', 0],
])('version %s against %s', (x, y, order) => {
  expect(Math.sign(compareVersions(x, y))).toBe(order);
});
