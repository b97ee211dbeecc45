import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { unformatted } from '../src/commands/fmt.ts';
import { proveConditionalWrites } from '../src/doctor.ts';
import { StepFailed } from '../src/failure.ts';
import { writeOutputs } from '../src/outputs.ts';
import { patiently } from '../src/patience.ts';
import { sideBySide } from '../src/side-by-side.ts';
import { sensitiveInState } from '../src/state.ts';

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function serve(handle: RequestListener): Promise<string> {
  const server = createServer(handle);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  closing.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const never = new AbortController().signal;

describe('patience', () => {
  const lines: string[] = [];
  const session = { runner: { info: (line: string) => lines.push(line) }, cancelled: never };
  const unavailable = () => new StepFailed('api-unavailable', 'Not there.');

  it('repeats what was not answered, and says so', async () => {
    let attempts = 0;
    const attempt = async () => {
      attempts += 1;
      if (attempts < 3) throw unavailable();
      return attempts;
    };
    expect(await patiently(session as never, attempt, [1, 1])).toBe(3);
    expect(lines).toEqual(Array(2).fill('Not there. Trying again in 0.001 s.'));
  });

  it('ends, and has none with other failures', async () => {
    await expect(
      patiently(session as never, () => Promise.reject(unavailable()), [1]),
    ).rejects.toThrow('Not there.');
    let attempts = 0;
    const refused = async () => {
      attempts += 1;
      throw new StepFailed('api-refused', 'No.');
    };
    await expect(patiently(session as never, refused, [1])).rejects.toThrow('No.');
    expect(attempts).toBe(1);
  });
});

describe('two things at a time', () => {
  it('are both waited for when one fails, and the first one is told', async () => {
    const ended: string[] = [];
    const failing = (name: string, ms: number) =>
      sleep(ms).then(() => {
        ended.push(name);
        throw new Error(name);
      });
    await expect(sideBySide(failing('slow', 30), failing('quick', 1))).rejects.toThrow('slow');
    expect(ended).toEqual(['quick', 'slow']);
  });
});

describe('the backend doctor', () => {
  const bucketAt = (endpoint: string) => ({
    endpoint,
    region: 'fsn1',
    bucket: 'state',
    pathStyle: true,
    accessKeyId: 'key',
    secretAccessKey: 'secret',
    sessionToken: undefined,
  });
  const log = (requests: string[], request: IncomingMessage) =>
    requests.push(`${request.method} ${request.url} ${request.headers['if-none-match'] ?? ''}`);

  it('is content with a store that refuses the second write, and leaves nothing', async () => {
    const requests: string[] = [];
    const url = await serve((request, response) => {
      log(requests, request);
      response.writeHead(requests.length === 2 ? 412 : 200).end();
    });
    await proveConditionalWrites(bucketAt(url), 'x');
    expect(requests).toEqual(['PUT /state/x *', 'PUT /state/x *', 'DELETE /state/x ']);
  });

  it.each([
    ['that ignores the condition', 200, /answered 200, not 412, to a second conditional write/],
    ['that does not know it', 501, /refused a first write with 501/],
  ])('refuses a store %s', async (_what, status, message) => {
    const url = await serve((_request, response) => response.writeHead(status).end());
    const attempt = proveConditionalWrites(bucketAt(url), 'x');
    await expect(attempt).rejects.toThrow(message);
    await expect(attempt).rejects.toMatchObject({ reason: 'backend-refused' });
  });

  it.each([
    ['is busy', (response: ServerResponse) => response.writeHead(503).end(), /answered 503\./],
    ['does not answer', (response: ServerResponse) => response.destroy(), /did not answer\./],
  ])('does not judge a store that %s', async (_what, answer, message) => {
    const url = await serve((_request, response) => answer(response));
    const attempt = proveConditionalWrites(bucketAt(url), 'x');
    await expect(attempt).rejects.toThrow(message);
    await expect(attempt).rejects.toMatchObject({ reason: 'api-unavailable' });
  });
});

describe('the outputs', () => {
  it('are for us alone, also in a file that was there for everybody', async () => {
    const work = mkdtempSync(join(tmpdir(), 'compta-outputs-'));
    const outputsFile = join(work, 'outputs.json');
    writeFileSync(outputsFile, 'of an earlier job, and longer', { mode: 0o644 });
    const session = {
      inputs: { outputsFile },
      runner: { output: () => {} },
      work,
      terraform: async () => ({ exitCode: 0, stdout: '{}', stderr: '' }),
    };
    expect(await writeOutputs(session as never)).toEqual([]);
    expect(readFileSync(outputsFile, 'utf8')).toBe('{}');
    expect(statSync(outputsFile).mode & 0o777).toBe(0o600);
    rmSync(work, { recursive: true });
  });
});

describe('the inventory', () => {
  /** What comes of outputs, and which files the next step is told of. */
  async function written(outputs: Record<string, unknown>) {
    const work = mkdtempSync(join(tmpdir(), 'compta-outputs-'));
    const told: string[] = [];
    const wrapped = Object.entries(outputs).map(([name, value]) => [
      name,
      { sensitive: false, value },
    ]);
    const session = {
      inputs: {},
      runner: { output: (name: string) => told.push(name) },
      work,
      terraform: async () => ({ stdout: JSON.stringify(Object.fromEntries(wrapped)) }),
    };
    return writeOutputs(session as never)
      .then(() => told)
      .finally(() => rmSync(work, { recursive: true }));
  }

  it('is left out of a root module that is no environment', async () => {
    expect(await written({})).toEqual(['outputs-file']);
    expect(await written({ environment: 'shared', bucket: 'b' })).toEqual(['outputs-file']);
  });

  it('of an environment that is half described ends the step, with what is wrong in it', async () => {
    const ssh = { user: 'deploy', port: 2222 };
    const half = { environment: 'staging', bastion: 'bastion-1', servers: {}, ssh };
    await expect(written(half)).rejects.toThrow(
      /do not describe an environment:\n {2}load_balancer: .*\n {2}network_cidr: /,
    );
    const server = { role: 'bastion', private_ip: '10.0.1.2', public_ip: null, host_key: 'x' };
    await expect(written({ ...half, servers: { 'bastion-1': server } })).rejects.toThrow(
      /servers\.bastion-1\.host_key: not a public host key/,
    );
  });
});

describe('terraform fmt', () => {
  it('is told as the lines that would change', () => {
    const diff = [
      'main.tf',
      '--- old/main.tf',
      '+++ new/main.tf',
      '@@ -1,5 +1,5 @@',
      ' resource "a" "b" {',
      '-x = 1',
      '-yy = 2',
      '+  x  = 1',
      '+  yy = 2',
      ' }',
      ' ',
      '@@ -20,3 +20,3 @@',
      ' output "c" {',
      '-value=1',
      '+  value = 1',
      ' }',
      '--- old/modules/d/other.tf',
      '+++ new/modules/d/other.tf',
      '@@ -7,1 +7,2 @@',
      ' }',
      '+',
    ].join('\n');
    expect(unformatted(diff)).toEqual([
      { file: 'main.tf', startLine: 2, endLine: 3 },
      { file: 'main.tf', startLine: 21, endLine: 21 },
      { file: 'modules/d/other.tf', startLine: 7, endLine: 7 },
    ]);
  });
});

describe('a state', () => {
  it('tells what is sensitive in it', () => {
    const state = {
      lineage: 'l',
      serial: 1,
      outputs: { open: { value: 'shown' }, shut: { value: { a: ['one'] }, sensitive: true } },
      resources: [
        {
          instances: [
            {
              attributes: { name: 'shown', key: 'two', nested: [{ deep: 'three' }] },
              sensitive_attributes: [
                [{ type: 'get_attr' as const, value: 'key' }],
                [
                  { type: 'get_attr' as const, value: 'nested' },
                  { type: 'index' as const, value: { value: 0 } },
                  { type: 'get_attr' as const, value: 'deep' },
                ],
              ],
            },
            { attributes: null },
          ],
        },
      ],
    };
    expect(sensitiveInState(state)).toEqual(['one', 'two', 'three']);
  });
});
