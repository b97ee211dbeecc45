import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { type GoPin, parsePins, readPins, select } from '../installer/pins.ts';

const tools = join(import.meta.dirname, '..');
const pins = readPins(join(tools, 'pins.json'));

const script = (after: string[]) => ({ kind: 'script', version: '1', provides: [], after });

describe('parsePins', () => {
  test('names the pin and the field that is missing', () => {
    expect(() => parsePins('{"act": {"kind": "go", "version": "1", "package": "p"}}')).toThrow(
      'pin act: "executable" is missing',
    );
  });

  test('refuses a kind it does not know', () => {
    expect(() => parsePins('{"act": {"kind": "gem", "version": "1"}}')).toThrow('kind "gem"');
  });

  test('refuses a circle, and an order after nothing', () => {
    expect(() => parsePins(JSON.stringify({ a: script(['b']), b: script(['a']) }))).toThrow(
      'a → b → a',
    );
    expect(() => parsePins(JSON.stringify({ a: script(['b']) }))).toThrow('there is no "b"');
  });
});

describe('select', () => {
  const some = parsePins(JSON.stringify({ a: script([]), b: script(['a']), c: script([]) }));

  test('brings what the asked for comes after, in the order of the file', () => {
    expect([...select(some, ['b']).keys()]).toEqual(['a', 'b']);
    expect([...select(some, []).keys()]).toEqual(['a', 'b', 'c']);
  });

  test('lists the names there are when one is wrong', () => {
    expect(() => select(some, ['d'])).toThrow('--only d: no such pin; there are a, b, c');
  });
});

describe('pins.json says what the lock files say', () => {
  const goPins = [...pins].filter(
    // A main.go of its own has no version but what its go.mod says.
    (entry): entry is [string, GoPin] => entry[1].kind === 'go' && entry[1].package !== '.',
  );

  test.each(goPins)('the Go module of %s', (name, pin) => {
    const required = readFileSync(join(tools, 'go', name, 'go.mod'), 'utf8')
      .split('\n')
      .map((line) =>
        line
          .replace(/^require /, '')
          .trim()
          .split(' '),
      )
      .find(([module = '']) => `${pin.package}/`.startsWith(`${module}/`) && module.includes('/'));
    expect(required?.[1]).toBe(pin.moduleVersion ?? `v${pin.version}`);
  });

  test('the requirements of ansible-core, each with a hash', () => {
    const pin = pins.get('ansible-core');
    const text = readFileSync(join(tools, 'python/ansible.txt'), 'utf8');
    expect(text).toContain(`\nansible-core==${pin?.version} \\\n    --hash=sha256:`);
  });

  test('every script is there', () => {
    const scripts = [...pins].filter(([, pin]) => pin.kind === 'script').map(([name]) => name);
    expect(scripts.filter((name) => !existsSync(join(tools, name, 'build')))).toEqual([]);
  });
});
