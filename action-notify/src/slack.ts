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
  /** As Slack calls it. */
  readonly error: string;
  constructor(error: string) {
    const advice = ADVICE[error];
    super(`Slack refused the message: ${error}${advice ? ` (${advice})` : ''}.`);
    this.error = error;
  }
}

/** https://docs.slack.dev/reference/methods/chat.postMessage#errors, those a set-up can cause. */
const ADVICE: Record<string, string> = {
  invalid_auth: 'check the token',
  not_authed: 'check the token',
  channel_not_found: 'give the ID of the channel, not its name, and invite the bot',
  not_in_channel: 'invite the bot to the channel',
  invalid_blocks: 'this is a bug of the action: please report it with the inputs',
  invalid_token: 'check the webhook URL',
};

/** Answers to an update of what is no more: the news are posted anew then, as somebody waits for them. */
const GONE = ['message_not_found', 'cant_update_message', 'edit_window_closed'];

/** Slack's own trouble of the moment, answered with 200 all the same. */
const PASSING = ['service_unavailable', 'internal_error', 'fatal_error', 'request_timeout'];

/**
 * Posts the message, or updates the one named by the destination; one that is gone is posted anew.
 *
 * Waits as long as a rate limit says and tries again, as it does after trouble of network or Slack;
 * gives up when `timeoutMs` has passed.
 *
 * @throws SlackRefused when Slack answered no; Error when it could not be reached in time.
 */
export async function send(to: Destination, message: Message, timeoutMs: number): Promise<Sent> {
  const deadline = Date.now() + timeoutMs;
  let address = to;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await read(address, await ask(address, message, deadline));
    } catch (error) {
      if (error instanceof SlackRefused) {
        if (!isGone(address, error)) throw error;
        address = { ...address, update: undefined };
        continue;
      }
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
  /** @param retryAfter as the header has it: seconds, if Slack wrote it and nobody on the way. */
  constructor(retryAfter: string | null) {
    const seconds = Math.max(1, Number(retryAfter) || 1);
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
  if (response.status === 429) throw new RateLimited(response.headers.get('retry-after'));
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
    if (!response.ok) throw new SlackRefused(body);
    return { channel: '', ts: '' };
  }
  const answer = webApiAnswer.parse(JSON.parse(body));
  if (!answer.ok) {
    const { error = 'unknown' } = answer;
    throw PASSING.includes(error) ? new Error(`Slack answered ${error}`) : new SlackRefused(error);
  }
  return { channel: answer.channel ?? to.channel, ts: answer.ts ?? '' };
}

function isGone(
  to: Destination,
  { error }: SlackRefused,
): to is Extract<Destination, { kind: 'bot' }> {
  return to.kind === 'bot' && to.update !== undefined && GONE.includes(error);
}
