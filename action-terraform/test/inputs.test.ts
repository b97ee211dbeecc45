import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { runAction } from '../../lib/runner/test/start-action.ts';
import { KEY } from './fixtures.ts';

/** Everything that the step could reach, counting. */
let server: Server;
let url: string;
let requests = 0;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'compta-inputs-'));
  mkdirSync(join(folder, 'temp'));
  mkdirSync(join(folder, 'module'));
  server = createServer((_request, response) => {
    requests += 1;
    response.writeHead(500).end();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

interface Wrong {
  /** The input at fault. */
  name: string;
  inputs: Record<string, string>;
  said: RegExp;
}

const wrong = (name: string, value: string, said: RegExp, more = {}): Wrong => ({
  name,
  inputs: { ...more, [name]: value },
  said,
});

const CASES: Wrong[] = [
  wrong('command', '', /is '': give one of fmt, validate, plan/),
  wrong('command', 'aply', /is 'aply': give one of fmt, validate, plan/),
  wrong('working-directory', '', /is missing: give the folder of the root module/),
  wrong('working-directory', 'nowhere', /is 'nowhere', which is no folder/),
  wrong('workspace', 'blue green', /is 'blue green': give letters, digits/),
  wrong('workspace', '-destroy', /is '-destroy': give letters, digits/),
  wrong('var-files', 'a.tfvars', /has 'a\.tfvars', which is no file in /),
  wrong('variables', '[1]', /is not valid/),
  wrong('variables', 'a: b: c', /is not YAML/),
  wrong('variables', '{"not a name": 1}', /is not valid/),
  wrong('variables', 'domain:', /has no value: give one, or leave it out\n.*at domain/),
  wrong('secret-variables', '[1]', /is not valid/),
  wrong('secret-variables', 'pin: 77: 78', /is not YAML; where is not shown, as it is a secret\.$/),
  wrong('backend-config', 'secret_key=x', /has 'secret_key', which would be readable/),
  wrong('backend-config', 'sse_customer_key = x', /has 'sse_customer_key', which would be/),
  wrong('backend-config', 'conn_str=postgres://a:b@c/d', /has 'conn_str', which would be/),
  wrong('backend-config', 'bucket', /has 'bucket', which is neither 'key=value' nor a file/),
  wrong('state-access-key-id', '', /is missing: 'state-secret-access-key' is of no use/, {
    'state-secret-access-key': 'a-secret-of-s3',
  }),
  wrong('state-secret-access-key', '', /is missing: 'state-access-key-id' is of no use/, {
    'state-access-key-id': 'a-key-of-s3',
  }),
  wrong('hcloud-token', 'short-token', /has 11 characters: an API token of Hetzner Cloud has 64/),
  wrong('plan-key', '', /is missing: a plan holds every secret .* travels only sealed/),
  wrong('plan-key', '', /is missing: a plan holds every secret/, { command: 'apply' }),
  wrong('plan-key', 'short', /has 5 characters: give at least 32/),
  wrong('plan-path', '/tmp', /is '\/tmp', which is a folder/),
  wrong('allow-destroy', 'hcloud_server.a, hcloud_server.b', /give one address a line/),
  wrong('lock-timeout', 'soon', /is 'soon': give a duration such as 90s/),
  wrong('lock-id', '', /is missing: the failure 'state-locked' tells it/, { command: 'unlock' }),
  wrong('lock-id', '-force', /is '-force': give it as the failure/, { command: 'unlock' }),
  wrong('policy', 'strict', /is 'strict': give true or false/),
  wrong('comment', 'everything', /is 'everything': give one of off, summary, full/),
  wrong('github-token', '', /is missing: a comment needs one/, { comment: 'full' }),
  wrong('outputs-file', '/tmp', /is '\/tmp', which is a folder/, { command: 'output' }),
  wrong('tool', 'pulumi', /is 'pulumi': give one of terraform, tofu/),
  wrong('version', '~> 1.11', /is '~> 1\.11': give an exact one such as 1\.11\.4/),
  wrong('mirror', 'mirror.example', /is 'mirror\.example': give a URL/),
];

describe('a wrong input', () => {
  it.each(CASES)('$name $inputs ends the step before it began', async ({ name, inputs, said }) => {
    requests = 0;
    const good = { command: 'plan', 'working-directory': 'module', 'plan-key': KEY };
    const ended = await runAction(
      'action-terraform',
      { ...good, ...inputs },
      {
        RUNNER_TEMP: join(folder, 'temp'),
        RUNNER_TOOL_CACHE: join(folder, 'tools'),
        GITHUB_WORKSPACE: folder,
        HCLOUD_ENDPOINT: url,
        AWS_ENDPOINT_URL_S3: url,
        ACTIONS_RESULTS_URL: url,
        GITHUB_API_URL: url,
      },
    );
    expect(ended).toMatchObject({ exitCode: 1, outputs: {}, state: {}, summary: '' });
    expect(ended.errors).toEqual([expect.stringMatching(said)]);
    expect(ended.errors[0]).toContain(`Input '${name}' `);
    expect(requests).toBe(0);
    expect(readdirSync(join(folder, 'temp'))).toEqual([]);
    expect(readdirSync(join(folder, 'module'))).toEqual([]);
    expect(existsSync(join(folder, 'tools'))).toBe(false);
  });

  type Given = Record<string, string>;
  it.each<[string, Given, Given, string]>([
    ['a number', { 'secret-variables': 'pin: 1234567890' }, {}, '1234567890'],
    ['of the environment', {}, { AWS_SECRET_ACCESS_KEY: 'secret-of-s3' }, 'secret-of-s3'],
    ['of a session', {}, { AWS_SESSION_TOKEN: 'session-of-s3' }, 'session-of-s3'],
  ])('comes after the masks, also of a secret that is %s', async (_what, inputs, env, secret) => {
    const ended = await runAction('action-terraform', { command: 'aply', ...inputs }, env);
    expect(ended.exitCode).toBe(1);
    expect(ended.stdout.split('\n')).toContain(`::add-mask::${secret}`);
  });

  it('is a workspace that the environment overrules', async () => {
    const good = { command: 'plan', 'working-directory': 'module', 'plan-key': KEY };
    const env = { GITHUB_WORKSPACE: folder, TF_WORKSPACE: 'blue' };
    const { errors } = await runAction('action-terraform', good, env);
    expect(errors).toEqual([
      expect.stringMatching(
        /^Input 'workspace' is 'default', but .* TF_WORKSPACE, which is 'blue'/,
      ),
    ]);
  });

  it('has been tried for every input that there is', () => {
    const file = new URL('../action.yml', import.meta.url);
    const { inputs } = parse(readFileSync(file, 'utf8')) as { inputs: object };
    expect([...new Set(CASES.map(({ name }) => name))].sort()).toEqual(Object.keys(inputs).sort());
  });
});
