import { expect, test } from '@jest/globals';
import { formsOf, Redactor } from '../secrets.ts';

const secret = 'p@ss "word"/with+signs';
const awkward = `it's "quoted" $HOME \\ é/ü`;

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

test.each([
  ['in sh', "'it'\\''s \"quoted\" $HOME \\ é/ü'"],
  ['by shlex.quote', `'it'"'"'s "quoted" $HOME \\ é/ü'`],
  ['in double quotes', '"it\'s \\"quoted\\" \\$HOME \\\\ é/ü"'],
  ['in YAML', `'it''s "quoted" $HOME \\ é/ü'`],
  ['by repr', `'it\\'s "quoted" $HOME \\\\ é/ü'`],
  ['by json.dumps', `"it's \\"quoted\\" $HOME \\\\ \\u00e9/\\u00fc"`],
  ['by shlex.quote in JSON', `"'it'\\"'\\"'s \\"quoted\\" $HOME \\\\ é/ü'"`],
  ['by urllib', 'it%27s%20%22quoted%22%20%24HOME%20%5C%20%C3%A9/%C3%BC'],
  ['in a form', 'it%27s+%22quoted%22+%24HOME+%5C+%C3%A9%2F%C3%BC'],
])('quotes, dollars and accents are not readable %s', (_how, text) => {
  const redactor = new Redactor();
  redactor.add(awkward);
  expect(redactor.redact(text)).toMatch(/^['"]*\*\*\*['"]*$/);
});

test.each(['', 'u:', 'us:', 'user:'])('base64 of %s and the secret hides the secret', (before) => {
  const redactor = new Redactor();
  redactor.add(secret);
  const text = redactor.redact(Buffer.from(`${before}${secret}\n`).toString('base64'));
  expect(text).toContain('***');
  expect(text.length).toBeLessThan(before.length + 12);
});

test('base64 in lines is hidden line by line', () => {
  const redactor = new Redactor();
  const long = 'long secret '.repeat(20).trim();
  redactor.add(long);
  const wrapped =
    Buffer.from(long)
      .toString('base64')
      .match(/.{1,76}/g) ?? [];
  expect(wrapped.length).toBeGreaterThan(3);
  for (const line of wrapped.slice(0, -1)) expect(redactor.redact(line)).toBe('***');
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
