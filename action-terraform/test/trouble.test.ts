import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import {
  createServer,
  request as forward,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { HetznerError } from '../../lib/hetzner/api.ts';
import { whileAnswered } from '../src/answering.ts';
import { planArgv } from '../src/argv.ts';
import { send } from '../src/s3.ts';
import { initialise, openSession } from '../src/session.ts';
import { TINY, writeModule, writeTiny } from './tiny.ts';
import { startWorld, TOKEN, type World } from './world.ts';

/** Locks, refusing APIs, cancelled jobs and protected resources: the bundle with real Terraform. */
let world: World;
let lockFile: string;
beforeAll(async () => {
  world = await startWorld({ bootTime: 1_000 });
  writeTiny(world.folder);
  lockFile = join(world.folder, 's3/compta-terraform/tiny/terraform.tfstate.tflock');
}, 180_000);
afterAll(() => world?.stop());

const tiny = { 'working-directory': TINY, 'allow-destroy': '*' };
const variables = (values: object) => ({ variables: JSON.stringify(values) });
let run = 100;

async function applied(inputs: Record<string, string> = {}) {
  run += 1;
  const planned = await world.step('plan', { ...tiny, ...inputs }, { run });
  expect(planned.stdout).not.toContain('::error');
  const result = await world.step('apply', { ...tiny, ...inputs }, { run });
  expect(result.stdout).not.toContain('::error');
  return result;
}

describe('an API that is busy or gone for a moment', () => {
  it.each([429, 502, 504])(
    'that answers %i is waited for, by the plan and by the apply',
    async (status) => {
      run += 1;
      const inputs = { ...tiny, ...variables({ open_to: `203.0.113.${status % 100}/32` }) };
      await world.faults({ next: { status, count: 3 } });
      const planned = await world.step('plan', inputs, { run });
      expect(planned.stdout).not.toContain('::error');
      expect(planned.outputs['monthly-cost']).toBe('0.00');
      await world.faults({ next: { status, count: 1 } });
      const result = await world.step('apply', inputs, { run });
      expect(result.stdout).not.toContain('::error');
      expect(result.outputs.changes).toBe('true');
    },
    180_000,
  );

  it('that fails in the middle of an apply fails it clearly, and the next one ends it', async () => {
    run += 1;
    const servers = variables({ servers: ['one'] });
    await world.step('plan', { ...tiny, ...servers }, { run });
    await world.faults({ fail_action: { command: 'create_server', message: 'no luck' } });
    const failed = await world.step('apply', { ...tiny, ...servers }, { run });
    expect(failed.exitCode).toBe(1);
    expect(failed.stdout).toMatch(/::error::[^\n]*no luck/);
    expect(existsSync(lockFile)).toBe(false);
    await world.faults({});
    await applied(servers);
    expect(await world.hetzner('/servers')).toMatchObject({ servers: [{ name: 'one' }] });
  }, 180_000);

  it('whose answer is lost fails the apply clearly, and the next plan adopts what was made', async () => {
    run += 1;
    const inputs = { ...tiny, ...variables({ servers: ['one', 'two'] }) };
    await world.step('plan', inputs, { run });
    await world.faults({ lose_answers: 1 });
    const failed = await world.step('apply', inputs, { run });
    expect(failed.outputs['failure-reason']).toBe('api-unavailable');
    expect(failed.stdout).toMatch(/::error::The other side did not answer .* plan again and go on/);
    run += 1;
    const planned = await world.step('plan', inputs, { run });
    expect(planned.stdout).toMatch(/::notice::hcloud_server\.this\["two"\] exists already/);
    expect(planned.outputs).toMatchObject({ add: '0', destroy: '0' });
    expect((await world.step('apply', inputs, { run })).stdout).not.toContain('::error');
    expect(await world.hetzner('/servers')).toMatchObject({
      servers: [{ name: 'one' }, { name: 'two' }],
    });
  }, 180_000);

  it('that takes requests and answers none has Terraform end by itself, with nothing locked', async () => {
    let asked = () => {};
    const isAsked = new Promise<void>((done) => {
      asked = done;
    });
    const silent = createServer(() => asked());
    await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done));
    const code = readFileSync(join(world.folder, TINY, 'main.tf'), 'utf8');
    const question = 'data "hcloud_locations" "all" {}\n';
    writeModule(world.folder, 'terraform/asking', code.replace('tiny/', 'asking/') + question);
    const session = await inProcess(
      'terraform/asking',
      `http://127.0.0.1:${(silent.address() as AddressInfo).port}`,
    );
    const lock = join(world.folder, 's3/compta-terraform/asking/terraform.tfstate.tflock');
    const planFile = join(session.work, 'plan.tfplan');
    const argv = planArgv({ varFiles: [], lockTimeout: '0s', planFile, mode: 'normal' });

    await initialise(session);
    const noAnswer = async () => {
      await isAsked;
      expect(existsSync(lock)).toBe(true);
      const cause = new DOMException('The operation was aborted due to timeout', 'TimeoutError');
      throw new HetznerError('/locations did not answer', { passes: true, cause });
    };
    const plan = (end: AbortSignal) => session.terraform(argv, { end });
    await expect(whileAnswered(session, plan, noAnswer, 1)).rejects.toMatchObject({
      reason: 'api-unavailable',
      message: expect.stringContaining('does not answer any more'),
    });
    expect(existsSync(lock)).toBe(false);
    silent.closeAllConnections();
    silent.close();
  }, 180_000);
});

describe('a lock file', () => {
  const LOCKED = 'terraform/locked';
  const code = `terraform {
  required_providers {
    hcloud = {
      source  = "hetznercloud/hcloud"
      version = ">= 1.68.0"
    }
  }
}
`;

  it.each<[string, (text: string) => string, string]>([
    [
      'without the provider',
      () => '',
      'The configuration asks for a provider that .terraform.lock',
    ],
    [
      'with another version of it',
      (text) => text.replace('"1.68.0"', '"1.67.0"'),
      'The configuration asks for a provider that .terraform.lock',
    ],
    [
      'with other checksums',
      (text) => text.replaceAll(/"h1:.{43}/g, `"h1:${'A'.repeat(43)}`),
      'A provider is not the one whose checksums .terraform.lock.hcl has',
    ],
  ])(
    '%s is left as it is, and the step says what to do',
    async (_what, altered, message) => {
      writeModule(world.folder, LOCKED, code);
      const file = join(world.folder, LOCKED, '.terraform.lock.hcl');
      const text = altered(readFileSync(file, 'utf8'));
      writeFileSync(file, text);
      const result = await world.step('plan', { 'working-directory': LOCKED }, { run });
      expect(result.outputs['failure-reason']).toBe('provider-refused');
      expect(result.stdout).toContain(`::error::${message}`);
      expect(readFileSync(file, 'utf8')).toBe(text);
    },
    180_000,
  );
});

describe('the lock', () => {
  const id = '0f0e0d0c-1111-2222-3333-444455556666';
  const hold = () =>
    send(world.bucket, {
      method: 'PUT',
      key: 'tiny/terraform.tfstate.tflock',
      body: JSON.stringify({
        ID: id,
        Operation: 'OperationTypeApply',
        Info: '',
        Who: 'ann@laptop',
        Version: '1.11.4',
        Created: '2026-11-23T01:00:00Z',
        Path: 'compta-terraform/tiny/terraform.tfstate',
      }),
    });

  it('of somebody else is waited for as long as asked, and its holder is named', async () => {
    expect((await hold()).status).toBe(200);
    const result = await world.step('plan', { ...tiny, 'lock-timeout': '1s' }, { run });
    expect(result.outputs['failure-reason']).toBe('state-locked');
    expect(result.stdout).toMatch(/::error::The state is locked by ann@laptop since 2026-11-23/);
    expect(result.stdout).toContain(id);
  }, 180_000);

  it('is freed by its own id only', async () => {
    const other = await world.step('unlock', {
      ...tiny,
      'lock-id': 'ffffffff-1111-2222-3333-444455556666',
    });
    expect(other.exitCode).toBe(1);
    expect(existsSync(lockFile)).toBe(true);
    const freed = await world.step('unlock', { ...tiny, 'lock-id': id });
    expect(freed.stdout).toContain(`Freed the state lock ${id}`);
    expect(existsSync(lockFile)).toBe(false);
    const without = await world.step('unlock', tiny);
    expect(without.stdout).toMatch(/::error::Input 'lock-id' is missing/);
  }, 180_000);

  it('is trusted when the store proves it, and nothing is applied when it does not', async () => {
    expect((await world.step('doctor', tiny)).summary).toMatch(/^### ✅ /);

    const careless = await s3Behind(({ url }, headers) => {
      if (url?.includes('.doctor-')) delete headers['if-none-match'];
      return true;
    });
    const env = { AWS_ENDPOINT_URL_S3: careless.url };
    run += 1;
    const planned = await world.step('plan', tiny, { run, env });
    expect(planned.stdout).not.toContain('::error');
    const refused = await world.step('apply', tiny, { run, env });
    careless.close();
    expect(refused.outputs['failure-reason']).toBe('backend-refused');
    expect(refused.stdout).toMatch(/answered 200, not 412, to a second conditional write/);
  }, 120_000);
});

describe('a bucket that takes neither the state after an apply nor the lock back', () => {
  it('is given both once more, so that nothing that was made is forgotten', async () => {
    const refusals = new Set<string>();
    const shut = await s3Behind(
      ({ method, url }) => !refusals.delete(`${method} ${url?.split('?')[0]?.split('/').at(-1)}`),
    );
    const env = { AWS_ENDPOINT_URL_S3: shut.url };
    const inputs = {
      ...tiny,
      ...variables({ servers: ['one', 'two'], open_to: '203.0.113.99/32' }),
    };
    run += 1;
    await world.step('plan', inputs, { run, env });
    refusals.add('PUT terraform.tfstate').add('DELETE terraform.tfstate.tflock');
    const failed = await world.step('apply', inputs, { run, env });
    shut.close();
    expect(failed.exitCode).toBe(1);
    expect(refusals.size).toBe(0);
    expect(failed.stdout).toContain('::warning title=State unlocked::');
    expect(failed.stdout).toContain('::warning title=State saved::');
    expect(existsSync(lockFile)).toBe(false);
    expect(existsSync(join(world.folder, TINY, 'errored.tfstate'))).toBe(false);
    run += 1;
    const again = await world.step('plan', inputs, { run });
    expect(again.outputs.changes).toBe('false');
  }, 180_000);
});

describe('a protected network', () => {
  it('is taken down in two steps, when that is allowed by name', async () => {
    await applied(variables({ protected: true }));
    const refused = await world.step('destroy', { ...tiny, 'allow-destroy': '' });
    expect(refused.outputs['failure-reason']).toBe('destroy-refused');
    const gone = await world.step('destroy', tiny);
    expect(gone.stdout).not.toContain('::error');
    expect(gone.stdout).toMatch(/::notice::Lifted the delete protection of hcloud_network\.this/);
    expect(await world.hetzner('/networks')).toMatchObject({ networks: [] });
  }, 180_000);
});

describe('a cancelled apply', () => {
  const servers = variables({ servers: ['one', 'two', 'three'] });

  /** Milliseconds after the start of the step: before Terraform, in its midst, near its end. */
  it.each([300, 900, 1_600, 2_400, 3_300, 4_500])(
    'leaves no lock when it is interrupted after %i ms',
    async (moment) => {
      run += 1;
      await world.step('plan', { ...tiny, ...servers }, { run });
      const step = world.start('apply', { ...tiny, ...servers }, { run });
      await sleep(moment);
      step.child.kill('SIGINT');
      await step.result;
      expect(existsSync(lockFile)).toBe(false);
    },
    120_000,
  );

  it('has lost nothing: the next one ends it', async () => {
    await applied(servers);
    const again = await world.step('plan', { ...tiny, ...servers }, { run: run + 1 });
    expect(again.outputs.changes).toBe('false');
  }, 120_000);
});

describe('a refresh', () => {
  it('forgets no server that Hetzner does not have any more: the token may be of another project', async () => {
    const servers = variables({ servers: ['one', 'two', 'three'] });
    const { servers: found } = (await world.hetzner('/servers?name=two')) as {
      servers: { id: number }[];
    };
    await world.hetzner(`/servers/${found[0]?.id}`, { method: 'DELETE' });
    const refused = await world.step('refresh', { ...tiny, ...servers });
    expect(refused.outputs['failure-reason']).toBe('refresh-refused');
    expect(refused.stdout).toContain(
      '::error::Hetzner does not have hcloud_server.this["two"] any more',
    );
  }, 180_000);
});

/** What a step opens, in this process, with Hetzner's API elsewhere. */
function inProcess(module: string, hetzner: string) {
  const { accessKeyId, secretAccessKey } = world.bucket;
  const inputs = {
    tool: 'terraform',
    version: '1.11.4',
    directory: join(world.folder, module),
    workspace: 'default',
    backendConfig: [world.backend],
    hcloudToken: TOKEN,
    stateAccessKeyId: accessKeyId,
    stateSecretAccessKey: secretAccessKey,
  };
  const env = { ...world.environment(run), HCLOUD_ENDPOINT: hetzner };
  const runner = { env, temp: join(world.folder, 'temp'), saveState: () => {}, info: () => {} };
  return openSession(inputs as never, runner as never, new AbortController().signal);
}

/** The S3 behind a door that may alter a request's headers, or refuse it (false). */
async function s3Behind(door: (request: IncomingMessage, headers: IncomingHttpHeaders) => boolean) {
  const server = createServer((request, response) => {
    const { method, url } = request;
    const headers = { ...request.headers };
    if (!door(request, headers)) {
      request.resume();
      const error = '<Error><Code>AccessDenied</Code><Message>Not now.</Message></Error>';
      response.writeHead(403, { 'content-type': 'application/xml' }).end(error);
      return;
    }
    const target = new URL(url ?? '/', world.bucket.endpoint);
    const onward = forward(target, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    request.pipe(onward);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => server.close(),
  };
}
