import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { z } from 'zod';
import { escapeHtml } from '../../lib/report/markdown.ts';
import { bodyOf, json, type Listening, listen } from './http.ts';

/**
 * A Slack that records: incoming webhooks and the two Web API methods that a pipeline
 * needs, holding messages to Block Kit's documented limits.
 */
export interface Message {
  channel: string;
  ts: string;
  text: string;
  blocks: unknown[];
  threadTs?: string;
  /** How often it was changed after it was posted. */
  edits: number;
}

/** https://docs.slack.dev/reference/block-kit/blocks: what Slack refuses as `invalid_blocks`. */
const textObject = (limit: number) =>
  z.object({ type: z.enum(['plain_text', 'mrkdwn']), text: z.string().min(1).max(limit) });
const block = z.discriminatedUnion('type', [
  z.object({ type: z.literal('header'), text: textObject(150) }),
  z
    .object({
      type: z.literal('section'),
      text: textObject(3000).optional(),
      fields: z.array(textObject(2000)).min(1).max(10).optional(),
    })
    .refine((section) => section.text ?? section.fields, 'a section needs text or fields'),
  z.object({ type: z.literal('context'), elements: z.array(textObject(3000)).min(1).max(10) }),
  z.object({ type: z.literal('actions'), elements: z.array(z.unknown()).min(1).max(25) }),
  z.object({ type: z.literal('divider') }),
]);
const payload = z.object({
  channel: z.string().optional(),
  ts: z.string().optional(),
  thread_ts: z.string().optional(),
  text: z.string().max(40_000).default(''),
  blocks: z.array(block).max(50).default([]),
});

export interface SlackOptions {
  address: string;
  /** The bot token that the Web API accepts. */
  token: string;
  /** The last part of the webhook's path; a wrong one is answered as Slack does. */
  webhookSecret: string;
  /** Where the messages are kept. */
  file: string;
}

export function startSlack(options: SlackOptions): Promise<Listening> {
  const messages: Message[] = existsSync(options.file)
    ? (JSON.parse(readFileSync(options.file, 'utf8')) as Message[])
    : [];
  /** Requests that are still to be answered 429, as `POST /_faults?rate-limit=N` asks. */
  let rateLimited = 0;
  const keep = () => writeFileSync(options.file, JSON.stringify(messages, null, 2));

  return listen(options.address, async (request, response, url) => {
    if (request.method === 'GET' && url.pathname === '/') return page(response, messages);
    if (request.method !== 'POST')
      return json(response, 404, { ok: false, error: 'unknown_method' });
    if (url.pathname === '/_faults') {
      rateLimited = Number(url.searchParams.get('rate-limit') ?? 0);
      return json(response, 200, { rateLimited });
    }
    if (rateLimited > 0) {
      rateLimited -= 1;
      response.writeHead(429, { 'retry-after': '1' }).end();
      return;
    }
    const read = payload.safeParse(JSON.parse((await bodyOf(request)).toString('utf8')));
    if (url.pathname.startsWith('/services/')) {
      if (!url.pathname.endsWith(`/${options.webhookSecret}`))
        return plain(response, 403, 'invalid_token');
      if (!read.success) return plain(response, 400, 'invalid_blocks');
      messages.push(posted('webhook', read.data));
      keep();
      return plain(response, 200, 'ok');
    }
    if (request.headers.authorization !== `Bearer ${options.token}`)
      return refuse(response, 'invalid_auth');
    if (!read.success) return refuse(response, 'invalid_blocks');
    const { channel, ts } = read.data;
    if (channel === undefined) return refuse(response, 'channel_not_found');
    if (url.pathname === '/api/chat.postMessage') {
      const message = posted(channel, read.data);
      messages.push(message);
      keep();
      return json(response, 200, { ok: true, channel, ts: message.ts, message });
    }
    if (url.pathname === '/api/chat.update') {
      const message = messages.find(
        (candidate) => candidate.channel === channel && candidate.ts === ts,
      );
      if (!message) return refuse(response, 'message_not_found');
      Object.assign(message, {
        text: read.data.text,
        blocks: read.data.blocks,
        edits: message.edits + 1,
      });
      keep();
      return json(response, 200, { ok: true, channel, ts: message.ts, text: message.text });
    }
    return refuse(response, 'unknown_method');
  });
}

function posted(channel: string, data: z.infer<typeof payload>): Message {
  const ts = `${(Date.now() / 1000).toFixed(3)}${String(process.hrtime()[1] % 1000).padStart(3, '0')}`;
  const thread = data.thread_ts === undefined ? {} : { threadTs: data.thread_ts };
  return { channel, ts, text: data.text, blocks: data.blocks, edits: 0, ...thread };
}

/** Slack's Web API answers 200 with `ok: false`; only rate limits have a status of their own. */
function refuse(response: ServerResponse, error: string): void {
  json(response, 200, { ok: false, error });
}

function plain(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain' }).end(text);
}

function page(response: ServerResponse, messages: readonly Message[]): void {
  const items = messages.toReversed().map(
    (message) =>
      `<article><h2>${escapeHtml(message.channel)} · ${message.ts} · ${message.edits} edits</h2>
<p>${escapeHtml(message.text)}</p><pre>${escapeHtml(JSON.stringify(message.blocks, null, 2))}</pre></article>`,
  );
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
  response.end(
    `<!doctype html><title>Slack that records</title><h1>${messages.length} messages</h1>${items.join('')}`,
  );
}
