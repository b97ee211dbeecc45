import { createHmac } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { keyPair } from '../key-pair.ts';
import { algorithmsOf, KnownHosts } from '../known-hosts.ts';
import { normalisePrivateKey } from '../private-key.ts';
import { quote } from '../quote.ts';

test.each([
  [['ls', '-l', '/opt/compta'], 'ls -l /opt/compta'],
  [['echo', ''], "echo ''"],
  [['echo', "it's"], "echo 'it'\\''s'"],
  [['echo', 'a b', '$x', '~'], "echo 'a b' '$x' '~'"],
])('%j is quoted', (argv, line) => {
  expect(quote(argv)).toBe(line);
});

describe('a private key from a secret', () => {
  const { private: key, public: publicHalf } = keyPair();
  test.each([
    ['as it is', key],
    ['with CRLF', key.replaceAll('\n', '\r\n')],
    ['without its last newline', key.trimEnd()],
    ['with \\n spelt out', key.trimEnd().replaceAll('\n', '\\n')],
  ])('%s', (_how, text) => {
    expect(normalisePrivateKey(text)).toBe(`${key.trimEnd()}\n`);
  });

  test.each([
    ['a public key', publicHalf, /looks like the public half/],
    ['a path', '~/.ssh/id_ed25519', /does not start with/],
    ['half a key', key.slice(0, 120), /cannot be read/],
  ])('%s is refused', (_what, text, message) => {
    expect(() => normalisePrivateKey(text)).toThrow(message);
  });
});

describe('known_hosts', () => {
  const { public: key } = keyPair();
  test('finds a host by address and port, plain or hashed', () => {
    const salt = Buffer.from('01234567890123456789');
    const hash = createHmac('sha1', salt).update('[10.0.1.2]:2222').digest('base64');
    const known = new KnownHosts(
      `# comment\n10.0.1.1,[10.0.1.1]:2222 ${key}\n|1|${salt.toString('base64')}|${hash} ${key}\n`,
    );
    expect(known.keysOf('10.0.1.1', 22)).toHaveLength(1);
    expect(known.keysOf('10.0.1.1', 2222)).toHaveLength(1);
    expect(known.keysOf('10.0.1.2', 2222)).toHaveLength(1);
    expect(known.keysOf('10.0.1.2', 22)).toHaveLength(0);
  });

  test('names a line that it cannot read', () => {
    expect(() => new KnownHosts('10.0.1.1\n')).toThrow(/known-hosts, line 1/);
  });

  test('asks the server for the type of key that is known', () => {
    const blob = Buffer.alloc(0);
    expect(algorithmsOf([{ type: 'ssh-rsa', blob }])).toEqual(['rsa-sha2-512', 'rsa-sha2-256']);
    expect(algorithmsOf([{ type: 'ssh-ed25519', blob }])).toEqual(['ssh-ed25519']);
  });
});
