import { expect, test } from '@jest/globals';
import { formsOf, Redactor } from '../secrets.ts';

const secret = 'p@ss "word"/with+signs';

test.each([
  ['as it is', secret],
  ['base64', Buffer.from(secret).toString('base64')],
  ['base64 for URLs', Buffer.from(secret).toString('base64url')],
  ['URL-encoded', encodeURIComponent(secret)],
  ['inside JSON', JSON.stringify({ secret })],
])('a secret is not readable %s', (_how, text) => {
  const redactor = new Redactor();
  redactor.add(secret);
  expect(redactor.redact(`before ${text} after`)).toContain('***');
  expect(redactor.redact(text)).not.toContain('word');
});

test('each line of a key is a secret of its own, its first and last line are not', () => {
  const key =
    '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\nc2Vjb25kIGxpbmU\n-----END OPENSSH PRIVATE KEY-----';
  const redactor = new Redactor();
  redactor.add(key);
  expect(redactor.redact('line: c2Vjb25kIGxpbmU')).toBe('line: ***');
  expect(redactor.redact('-----BEGIN OPENSSH PRIVATE KEY-----')).toContain('BEGIN');
});

test('a secret that contains another is hidden whole', () => {
  const redactor = new Redactor();
  redactor.add('secret');
  redactor.add('secret-and-more');
  expect(redactor.redact('secret-and-more')).toBe('***');
});

test('what is shorter than six characters hides nothing', () => {
  expect(formsOf('8080')).toEqual([]);
});
