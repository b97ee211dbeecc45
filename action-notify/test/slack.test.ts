import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { messageOf } from '../src/message.ts';
import { send } from '../src/slack.ts';

/** What a Slack in trouble answers, one after the other; then it takes the message. */
let answers: { status?: number; headers?: Record<string, string>; error?: string }[];
let asked: string[];
let slack: Server;
beforeEach(async () => {
  asked = [];
  slack = createServer((request: IncomingMessage, response) => {
    asked.push(request.url ?? '');
    request.resume().on('end', () => {
      const { status = 200, headers = {}, error } = answers.shift() ?? {};
      const body =
        error === undefined ? { ok: true, channel: 'C1', ts: '2.1' } : { ok: false, error };
      response.writeHead(status, headers).end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => slack.listen(0, '127.0.0.1', resolve));
});
afterEach(() => {
  slack.closeAllConnections();
  slack.close();
});

function sent(update?: string) {
  const apiUrl = `http://127.0.0.1:${(slack.address() as AddressInfo).port}`;
  const bot = { kind: 'bot', apiUrl, token: 'xoxb', channel: 'C1', update } as const;
  return send(bot, { text: 'news', blocks: [] }, 3_000);
}

test('news that were to go into a message that is gone are posted anew', async () => {
  answers = [{ error: 'message_not_found' }];
  expect(await sent('1.1')).toEqual({ channel: 'C1', ts: '2.1' });
  expect(asked).toEqual(['/chat.update', '/chat.postMessage']);
});

test('no other refusal is tried again', async () => {
  answers = [{ error: 'channel_not_found' }];
  await expect(sent('1.1')).rejects.toThrow(/channel_not_found \(give the ID/);
  expect(asked).toEqual(['/chat.update']);
});

test("trouble of Slack's own, which it answers with 200, is waited out", async () => {
  answers = [{ error: 'service_unavailable' }];
  expect(await sent()).toMatchObject({ ts: '2.1' });
});

test.each(['Wed, 21 Oct 2026 07:28:00 GMT', '0', ''])(
  'a rate limit that names no seconds (%j) is no reason to ask without a pause',
  async (header) => {
    answers = Array.from({ length: 500 }, () => ({
      status: 429,
      headers: { 'retry-after': header },
    }));
    await expect(sent()).rejects.toThrow('within 3 s');
    expect(asked.length).toBeLessThan(5);
  },
);

test('a text is cut between signs', () => {
  const run = { repository: '', workflow: '', actor: '', ref: '', commit: '', url: '' };
  const news = {
    template: 'custom',
    status: 'success',
    title: undefined,
    fields: {},
    run,
  } as const;
  const shown = (text: string) => {
    const [, section] = messageOf({ ...news, text }).blocks as { text: { text: string } }[];
    return section?.text.text.slice(-3);
  };
  expect(shown(`${'x'.repeat(2998)}😀😀`)).toBe('xx…');
  expect(shown(`${'x'.repeat(2997)}<<`)).toBe('xx…');
  expect(shown('x'.repeat(3001))).toBe('xx…');
});
