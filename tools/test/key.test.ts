import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { inputs, key } from '../installer/key.ts';
import { type Pin, readPins } from '../installer/pins.ts';

const pin: Pin = { kind: 'terraform', version: '1', source: 's', executableSha256: 'h' };
const files = new Map([
  ['a', 'one'],
  ['b', 'two'],
]);

describe('key', () => {
  test('is the same for the same pin and files in any order', () => {
    const turned: Pin = { executableSha256: 'h', source: 's', version: '1', kind: 'terraform' };
    expect(key(turned, new Map([...files].reverse()))).toBe(key(pin, files));
    expect(key(pin, files)).toMatch(/^[0-9a-f]{12}$/);
  });

  test('changes with the version, with a file and with the name of a file', () => {
    const keys = [
      key(pin, files),
      key({ ...pin, version: '2' }, files),
      key(pin, new Map([...files, ['b', 'three']])),
      key(
        pin,
        new Map([
          ['a', 'one'],
          ['c', 'two'],
        ]),
      ),
    ];
    expect(new Set(keys).size).toBe(keys.length);
  });

  test('does not change with the links: they are made anew, nothing is built', () => {
    expect(key({ ...pin, bin: { t: 'terraform' }, toolCache: 't' }, files)).toBe(key(pin, files));
  });
});

test.each(['caddy', 'images'])(
  'another Caddy, or another main.go around it, is another %s',
  (name) => {
    const tools = join(import.meta.dirname, '..');
    const all = readPins(join(tools, 'pins.json'));
    const paths = [...inputs(tools, name, all.get(name) as Pin).keys()];
    expect(paths).toEqual(
      expect.arrayContaining(['go/caddy/go.mod', 'go/caddy/go.sum', 'go/caddy/main.go']),
    );
  },
);
