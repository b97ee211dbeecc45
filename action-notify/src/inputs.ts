import { z } from 'zod';
import {
  boolean,
  duration,
  InputError,
  oneOf,
  optional,
  optionalSecret,
  webAddress,
  yaml,
} from '../../lib/runner/inputs.ts';
import type { Runner } from '../../lib/runner/runner.ts';
import { type News, STATUSES, TEMPLATES } from './message.ts';

const SLACK = 'https://slack.com/api';

/** A bot can change what it said; a webhook can only speak. */
export type Destination =
  | { kind: 'bot'; apiUrl: string; token: string; channel: string; update: string | undefined }
  | { kind: 'webhook'; url: string };

export interface Inputs {
  destination: Destination;
  news: Omit<News, 'run'>;
  failOnError: boolean;
  timeoutMs: number;
}

export function readInputs(runner: Runner): Inputs {
  return {
    destination: destination(runner),
    news: {
      template: oneOf(runner, 'template', TEMPLATES, 'deploy'),
      status: oneOf(runner, 'status', STATUSES),
      title: optional(runner, 'title'),
      text: optional(runner, 'text'),
      fields: fields(runner),
    },
    failOnError: boolean(runner, 'fail-on-error', false),
    timeoutMs: duration(runner, 'timeout', '60s', 1),
  };
}

function destination(runner: Runner): Destination {
  const token = optionalSecret(runner, 'token');
  const url = optionalSecret(runner, 'webhook-url');
  const update = optional(runner, 'update');
  if (token !== undefined) {
    const channel = optional(runner, 'channel');
    if (channel === undefined) {
      throw new InputError('channel', 'is missing: a bot needs the ID of the channel it posts to.');
    }
    const apiUrl = webAddress(runner, 'api-url', SLACK) ?? SLACK;
    return { kind: 'bot', apiUrl, token, channel, update };
  }
  if (url === undefined) {
    throw new InputError('token', 'is missing: give token and channel, or webhook-url.');
  }
  if (!URL.canParse(url)) {
    throw new InputError(
      'webhook-url',
      'is no URL: copy it from the Slack app’s “Incoming Webhooks”.',
    );
  }
  if (update !== undefined) {
    throw new InputError('update', 'needs token and channel: a webhook cannot update a message.');
  }
  return { kind: 'webhook', url };
}

/** Ten is what one section block takes. */
function fields(runner: Runner): Record<string, string> {
  const scalar = z.union([z.string(), z.number(), z.boolean()]).transform(String);
  const given = yaml(runner, 'fields', z.record(z.string(), scalar.nullable())) ?? {};
  const shown = Object.entries(given).flatMap(([name, value]) => (value ? [[name, value]] : []));
  if (shown.length > 10) {
    throw new InputError('fields', `has ${shown.length} entries: Slack shows at most 10.`);
  }
  return Object.fromEntries(shown);
}
