import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Destination } from './inputs.ts';
import type { Message } from './message.ts';

export interface Sent {
  channel: string;
  /** '' from a webhook, which does not say. */
  ts: string;
}

/** Slack did not take the message; says what it answered and, where known, what to do. */
export class SlackRefused extends Error {
  override readonly name = 'SlackRefused';
}

/** https://docs.slack.dev/reference/methods/chat.postMessage#errors, those a set-up can cause. */
const ADVICE: Record<string, string> = {
  invalid_auth: 'check the token',
  not_authed: 'check the token',
  channel_not_found: 'give the ID of the channel, not its name, and invite the bot',
  not_in_channel: 'invite the bot to the channel',
  message_not_found: "'update' is no message of this bot in this channel",
  invalid_blocks: 'this is a bug of the action: please report it with the inputs',
  invalid_token: 'check the webhook URL',
};

/**
 * Posts the message, or updates the one named by the destination.
 *
 * Waits as long as a rate limit says and tries again; retries what never reached Slack;
 * gives up when `timeoutMs` has passed.
 *
 * @throws SlackRefused when Slack answered no; Error when it could not be reached in time.
 */
export async function send(to: Destination, message: Message, timeoutMs: number): Promise<Sent> {
  const deadline = Date.now() + timeoutMs;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await read(to, await ask(to, message, deadline));
    } catch (error) {
      if (error instanceof SlackRefused) throw error;
      const wait = error instanceof RateLimited ? error.waitMs : 500 * 2 ** attempt;
      if (Date.now() + wait > deadline) {
        throw new Error(`Slack did not take the message within ${timeoutMs / 1000} s.`, {
          cause: error,
        });
      }
      await sleep(wait);
    }
  }
}

class RateLimited extends Error {
  readonly waitMs: number;
  constructor(seconds: number) {
    super(`Slack asked to wait ${seconds} s (429)`);
    this.waitMs = seconds * 1000;
  }
}

async function ask(to: Destination, message: Message, deadline: number): Promise<Response> {
  const response = await fetch(urlOf(to), {
    method: 'POST',
    headers: {
      'content-type': 'application/json; charset=utf-8',
      ...(to.kind === 'bot' ? { authorization: `Bearer ${to.token}` } : {}),
    },
    body: JSON.stringify(to.kind === 'bot' ? { ...message, ...addressOf(to) } : message),
    signal: AbortSignal.timeout(Math.max(1, Math.min(10_000, deadline - Date.now()))),
  });
  if (response.status === 429)
    throw new RateLimited(Number(response.headers.get('retry-after') ?? 1));
  if (response.status >= 500) throw new Error(`Slack answered ${response.status}`);
  return response;
}

function urlOf(to: Destination): string {
  if (to.kind === 'webhook') return to.url;
  return `${to.apiUrl}/${to.update ? 'chat.update' : 'chat.postMessage'}`;
}

function addressOf(to: Extract<Destination, { kind: 'bot' }>): Record<string, string> {
  return to.update ? { channel: to.channel, ts: to.update } : { channel: to.channel };
}

const webApiAnswer = z.object({
  ok: z.boolean(),
  error: z.string().optional(),
  channel: z.string().optional(),
  ts: z.string().optional(),
});

async function read(to: Destination, response: Response): Promise<Sent> {
  const body = await response.text();
  if (to.kind === 'webhook') {
    if (!response.ok) throw refused(body);
    return { channel: '', ts: '' };
  }
  const answer = webApiAnswer.parse(JSON.parse(body));
  if (!answer.ok) throw refused(answer.error ?? 'unknown');
  return { channel: answer.channel ?? to.channel, ts: answer.ts ?? '' };
}

function refused(error: string): SlackRefused {
  const advice = ADVICE[error];
  return new SlackRefused(`Slack refused the message: ${error}${advice ? ` (${advice})` : ''}.`);
}
