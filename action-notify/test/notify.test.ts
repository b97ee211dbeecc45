import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { runAction } from '../../lib/runner/test/start-action.ts';
import type { Listening } from '../../local-cloud/services/http.ts';
import { type Message, startSlack } from '../../local-cloud/services/slack.ts';

const token = 'xoxb-planted-secret-token';
let folder: string;
let slack: Listening;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'compta-notify-'));
  slack = await startSlack({
    address: '127.0.0.1:18095',
    token,
    webhookSecret: 'planted-hook',
    file: join(folder, 'messages.json'),
  });
});

afterEach(async () => {
  await slack.close();
  rmSync(folder, { recursive: true });
});

const bot = () => ({ token, channel: 'C1', 'api-url': `${slack.url}/api` });

test('one message is posted and then updated as the run goes on', async () => {
  const started = await runAction('action-notify', { ...bot(), status: 'started' });
  expect(started).toMatchObject({
    exitCode: 0,
    errors: [],
    outputs: { sent: 'true', channel: 'C1' },
  });

  await runAction('action-notify', {
    ...bot(),
    status: 'success',
    update: started.outputs.ts ?? '',
    fields: 'version: 1.4.0\nhosts: 2',
  });
  expect(messages()).toEqual([
    expect.objectContaining({ text: '✅ Deployment succeeded', edits: 1, ts: started.outputs.ts }),
  ]);
});

test('text that would break Block Kit is escaped and cut, not refused', async () => {
  const ended = await runAction('action-notify', {
    ...bot(),
    status: 'failure',
    title: 'x'.repeat(400),
    text: '<!channel> "quoted" & \n multi-line',
  });
  expect(ended.outputs.sent).toBe('true');
  const [header, section] = (messages()[0]?.blocks ?? []) as { text: { text: string } }[];
  expect(header?.text.text).toHaveLength(150);
  expect(section?.text.text).toBe('&lt;!channel&gt; "quoted" &amp; \n multi-line');
});

test('a rate limit is waited out', async () => {
  await fetch(`${slack.url}/_faults?rate-limit=1`, { method: 'POST' });
  const before = Date.now();
  const ended = await runAction('action-notify', { ...bot(), status: 'started' });
  expect(ended.outputs.sent).toBe('true');
  expect(Date.now() - before).toBeGreaterThan(1000);
});

test('a webhook works without a bot, and its URL is never shown', async () => {
  const url = `${slack.url}/services/T0/B0/planted-hook`;
  const ended = await runAction('action-notify', { 'webhook-url': url, status: 'success' });
  expect(ended.outputs).toMatchObject({ sent: 'true', ts: '' });
  expect(visible(ended.stdout)).not.toContain('planted-hook');
});

test('a refusal is a warning with advice, or a failure when asked', async () => {
  const wrong = { ...bot(), token: 'xoxb-another-token', status: 'success' };
  const warned = await runAction('action-notify', wrong);
  expect(warned).toMatchObject({ exitCode: 0, outputs: { sent: 'false' }, errors: [] });
  expect(warned.warnings.join()).toContain('invalid_auth (check the token)');

  const failed = await runAction('action-notify', { ...wrong, 'fail-on-error': 'true' });
  expect(failed).toMatchObject({ exitCode: 1, outputs: { sent: 'false' } });
  expect(failed.errors).toHaveLength(1);
  expect(visible(failed.stdout)).not.toContain('xoxb-another-token');
});

test.each([
  [{ status: 'success' }, "Input 'token' is missing"],
  [{ status: 'success', token }, "Input 'channel' is missing"],
  [{ status: 'done', token, channel: 'C1' }, "Input 'status' is 'done'"],
  [{ status: 'success', token, channel: 'C1', 'api-url': 'slack.com/api' }, "Input 'api-url'"],
  [{ status: 'success', token, channel: 'C1', timeout: '0' }, "Input 'timeout' is '0'"],
  [{ status: 'success', 'webhook-url': 'https://x.test/1', update: '1.2' }, "Input 'update'"],
])('%o ends with one annotation and no request', async (inputs, message) => {
  const ended = await runAction('action-notify', inputs as Record<string, string>);
  expect(ended.exitCode).toBe(1);
  expect(ended.errors).toEqual([expect.stringContaining(message)]);
});

/** What a reader of the log sees: the runner takes `add-mask` commands out of it. */
function visible(stdout: string): string {
  return stdout.replaceAll(/^::add-mask::.*$/gm, '');
}

function messages(): Message[] {
  return JSON.parse(readFileSync(join(folder, 'messages.json'), 'utf8')) as Message[];
}
