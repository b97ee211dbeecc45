import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Listening } from '../services/http.ts';
import { startSlack } from '../services/slack.ts';

const options = { address: '127.0.0.1:18093', token: 'xoxb-test', webhookSecret: 'hook' };
let folder: string;
let slack: Listening;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'compta-slack-'));
  slack = await startSlack({ ...options, file: join(folder, 'messages.json') });
});

afterEach(async () => {
  await slack.close();
  rmSync(folder, { recursive: true });
});

test('a message is posted, changed in place, and still there after a restart', async () => {
  const posted = await call('chat.postMessage', { channel: 'C1', text: 'deploying' });
  expect(posted).toMatchObject({ ok: true, channel: 'C1' });
  expect(await call('chat.update', { channel: 'C1', ts: posted.ts, text: 'done' })).toMatchObject({
    ok: true,
    text: 'done',
  });

  await slack.close();
  slack = await startSlack({ ...options, file: join(folder, 'messages.json') });
  expect(await call('chat.update', { channel: 'C1', ts: posted.ts, text: 'again' })).toMatchObject({
    ok: true,
  });
});

test.each([
  ['a wrong token', 'xoxb-other', { channel: 'C1', text: 'x' }, 'invalid_auth'],
  ['an unknown message', 'xoxb-test', { channel: 'C1', ts: '1.2', text: 'x' }, 'message_not_found'],
  [
    'a header over 150 characters',
    'xoxb-test',
    {
      channel: 'C1',
      ts: '1.2',
      blocks: [{ type: 'header', text: { type: 'plain_text', text: 'x'.repeat(151) } }],
    },
    'invalid_blocks',
  ],
])('%s is refused as Slack refuses it', async (_what, token, body, error) => {
  expect(await call('chat.update', body, token)).toEqual({ ok: false, error });
});

test('a rate limit is answered 429 with the seconds to wait', async () => {
  await fetch(`${slack.url}/_faults?rate-limit=1`, { method: 'POST' });
  const limited = await post('/services/T/B/hook', { text: 'x' });
  expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '1']);
  expect((await post('/services/T/B/hook', { text: 'x' })).status).toBe(200);
});

async function call(method: string, body: object, token = 'xoxb-test') {
  const response = await post(`/api/${method}`, body, { authorization: `Bearer ${token}` });
  return (await response.json()) as Record<string, unknown>;
}

function post(path: string, body: object, headers: Record<string, string> = {}) {
  return fetch(slack.url + path, {
    method: 'POST',
    headers: { ...headers, connection: 'close' },
    body: JSON.stringify(body),
  });
}
