import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Runner } from '../../runner/runner.ts';
import type { Outcome } from '../bring.ts';
import { endDeployment, openDeployment, told } from '../github.ts';

let server: Server;
/** What GitHub was told, and what the step leaves for its post step. */
let states: string[];
let saved: Record<string, string>;
let warnings: string[];
beforeEach(async () => {
  [states, saved, warnings] = [[], {}, []];
  server = createServer(async (request, response) => {
    const { state } = (await json(request)) as { state?: string };
    if (state !== undefined) states.push(`${request.url?.split('/').slice(-2).join('/')} ${state}`);
    response.writeHead(201, { 'content-type': 'application/json' }).end('{"id": 7}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(() => new Promise((resolve) => server.close(resolve)));

const runner = (inputs: Record<string, string> = { 'github-token': 'ghs_0123456789' }): Runner =>
  ({
    input: (name: string) => inputs[name] ?? '',
    mask: () => {},
    redact: (text: string) => text,
    warning: (message: string) => warnings.push(message),
    saveState: (name: string, value: string) => {
      saved[name] = value;
    },
    state: (name: string) => saved[name] ?? '',
    env: {
      GITHUB_API_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      GITHUB_REPOSITORY: 'compta/compta',
      GITHUB_SHA: 'a'.repeat(40),
    },
  }) as unknown as Runner;

const release = (status: string) => async () => ({ status, version: '1.0.0' }) as Outcome;

test('a release that came to its end has nothing left to say', async () => {
  await told(await openDeployment(runner(), 'staging', 'Release'), release('deployed'));
  await endDeployment(runner());
  expect(states).toEqual(['7/statuses in_progress', '7/statuses success']);
});

test('one that was killed is not under way for ever', async () => {
  const deployment = await openDeployment(runner(), 'staging', 'Release');
  await deployment.say('in_progress', 'under way');
  await endDeployment(runner());
  expect(states).toEqual(['7/statuses in_progress', '7/statuses error']);
});

test('one that GitHub was not told of is none', async () => {
  await endDeployment(runner());
  await told(await openDeployment(runner({}), 'staging', 'Release'), release('deployed'));
  await endDeployment(runner({}));
  expect({ states, warnings }).toEqual({ states: [], warnings: [] });
});
