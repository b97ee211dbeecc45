import { describe, expect, test } from '@jest/globals';
import { readings } from '../readings.ts';

const secret = 'Ab3$é"x9-long enough';
const shown = (text: string) => readings(secret).some((reading) => text.includes(reading));

describe('a secret is recognised', () => {
  test.each([
    ['as it is', `before ${secret} after`],
    ['in a URL', `https://x/?password=${encodeURIComponent(secret)}&y`],
    ['in JSON', JSON.stringify({ password: secret })],
    ['in base64', Buffer.from(secret).toString('base64')],
    ['in base64 behind one byte', Buffer.from(`u${secret}:tail`).toString('base64')],
    ['in base64 behind two bytes', Buffer.from(`us${secret}:tail`).toString('base64')],
    ['in base64 behind three bytes', Buffer.from(`usr${secret}:tail`).toString('base64')],
  ])('%s', (_, text) => {
    expect(shown(text)).toBe(true);
  });

  test('by any line of a key', () => {
    const key = '-----BEGIN KEY-----\nfirstlinefirstline\nsecondlinesecond\n-----END KEY-----\n';
    expect(readings(key).some((reading) => 'log: secondlinesecond'.includes(reading))).toBe(true);
    expect(readings(key).some((reading) => '-----BEGIN KEY-----'.includes(reading))).toBe(false);
  });
});

test('other text is not', () => {
  expect(shown('nothing of it here')).toBe(false);
});
