import { describe, expect, test } from '@jest/globals';
import type { Host } from '../host.ts';
import type { Manifest } from '../manifest.ts';
import {
  afterContracts,
  afterRestore,
  isSince,
  readSchema,
  refuseContracted,
  type SchemaRecord,
} from '../schema.ts';

const running = (version: string) =>
  ({
    services: { ledger: { image: `registry/ledger@sha256:${version}`, version, config: 'c' } },
  }) as unknown as Manifest;

const contract = (script: string, since: string) => ({ script, since });
const record: SchemaRecord = { ledger: [contract('V7__drop_tax.sql', '1.4.0')] };

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
  const known = afterContracts({}, 'ledger', all);
  expect(known).toEqual({ ledger: all });
  expect(afterContracts(known, 'ledger', all)).toEqual(known);
  expect(() => refuseContracted(known, running('1.3.0'), running('2.0.0'))).toThrow(
    `V_${strictest}.sql took away from its database what versions before ${strictest} need`,
  );
});

test('the contracts that a restore has undone shut out nothing, until they are there again', () => {
  const all = [contract('V5__drop_rate.sql', '1.2.0'), contract('V7__drop_tax.sql', '1.4.0')];
  const known: SchemaRecord = { ledger: all, auth: [contract('V3__drop_name.sql', '1.1.0')] };
  const back = (to: string, after: SchemaRecord) => () =>
    refuseContracted(after, running(to), running('1.5.0'));
  const restored = afterRestore(known, 'ledger', ['V1__books.sql', 'V5__drop_rate.sql']);
  expect(back('1.3.0', restored)).not.toThrow();
  expect(back('1.1.0', restored)).toThrow(/V5__drop_rate/);
  expect(restored.auth).toEqual(known.auth);
  const scripts = all.map(({ script }) => script);
  expect(afterRestore(restored, 'ledger', scripts)).toEqual(known);
  expect(back('1.3.0', afterContracts(restored, 'ledger', all.slice(1)))).toThrow(/V7__drop_tax/);
});

test('a record with one contract, as it was written before, is read', async () => {
  const content = async () => '{"ledger":{"script":"V7__drop_tax.sql","since":"1.4.0"}}';
  expect(await readSchema({ content } as unknown as Host)).toEqual(record);
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
