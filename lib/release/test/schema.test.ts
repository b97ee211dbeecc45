import { describe, expect, test } from '@jest/globals';
import type { Manifest } from '../manifest.ts';
import { afterContracts, isSince, refuseContracted, type SchemaRecord } from '../schema.ts';

const running = (version: string) =>
  ({
    services: { ledger: { image: `registry/ledger@sha256:${version}`, version, config: 'c' } },
  }) as unknown as Manifest;

const contract = (script: string, since: string) => ({ script, since });
const record: SchemaRecord = { ledger: contract('V7__drop_tax.sql', '1.4.0') };

describe('a rollback past a migration', () => {
  test('is fine as long as scripts only add', () => {
    expect(() => refuseContracted({}, running('1.3.0'), running('1.5.0'))).not.toThrow();
  });

  test('is refused once a script took away what that version needs', () => {
    expect(() => refuseContracted(record, running('1.3.9-abc'), running('1.5.0'))).toThrow(
      /^ledger 1\.3\.9-abc cannot be put back: V7__drop_tax\.sql took away .* before 1\.4\.0 need/,
    );
  });

  test('is fine to the first version that lives without it', () => {
    expect(() => refuseContracted(record, running('1.4.0-abc'), running('1.5.0'))).not.toThrow();
  });

  test('is refused to a version without numbers to compare', () => {
    expect(() => refuseContracted(record, running('develop'), running('1.5.0'))).toThrow();
  });

  test('does not concern what stays as it is', () => {
    expect(() => refuseContracted(record, running('1.3.0'), running('1.3.0'))).not.toThrow();
  });
});

test.each<[string, string[], string]>([
  ['the first', ['1.4.0'], '1.4.0'],
  ['a stricter one later', ['1.4.0', '1.10.0'], '1.10.0'],
  ['a milder one later', ['1.10.0', '1.4.0'], '1.10.0'],
])('of several contracts the strictest counts: %s', (_which, sinces, strictest) => {
  const all = sinces.map((since) => contract(`V_${since}.sql`, since));
  expect(afterContracts({}, 'ledger', all)).toEqual({
    ledger: contract(`V_${strictest}.sql`, strictest),
  });
  expect(afterContracts(record, 'ledger', [])).toEqual(record);
});

test.each([
  ['1.4.0', '1.4.0', true],
  ['1.4.0-abc1234', '1.4.0', true],
  ['1.10.0', '1.4.0', true],
  ['v2', '1.4.0', true],
  ['1.4', '1.4.0', true],
  ['1.3.9-abc1234', '1.4.0', false],
  ['develop', '1.4.0', undefined],
])('%s is since %s: %s', (version, since, answer) => {
  expect(isSince(version, since)).toBe(answer);
});
