import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Lease } from '../../lib/release/lease.ts';
import {
  paths,
  startEnvironment,
  type TestEnvironment,
} from '../../lib/release/test/fixture/environment.ts';
import type { TestHost } from '../../lib/release/test/fixture/hosts.ts';
import { startLoad } from '../../lib/release/test/fixture/load.ts';
import type { Ended } from '../../lib/runner/test/start-action.ts';
import { connectionTo, start } from './release-step.ts';

/** Bytes of each server's disk: what a release wants free, and room for the images. */
const disk = 3 * 1024 ** 3;

let environment: TestEnvironment;
let loads: ReturnType<typeof startLoad>[] = [];
let restore: (() => Promise<void>) | undefined;
beforeAll(async () => {
  environment = await startEnvironment(2, undefined, { disk });
  const first = await deploy('1.0.0').then((inputs) => start('action-deploy', inputs).ended);
  expect(first.outputs.status).toBe('deployed');
}, 180_000);
afterAll(async () => {
  await environment?.close();
}, 180_000);
afterEach(async () => {
  await restore?.();
  restore = undefined;
  const results = await Promise.all(loads.splice(0).map((load) => load.stop()));
  expect(results.flatMap(({ failed }) => failed)).toEqual([]);
});

async function deploy(version: string, only?: string[]): Promise<Record<string, string>> {
  const { images, variables } = await environment.wanted(version, {}, only);
  return {
    ...connectionTo(environment),
    // The second server's turn comes when the first one has the new release.
    ...(only && { batch: '1' }),
    version,
    images: JSON.stringify(images),
    variables: JSON.stringify(variables),
  };
}

const server = (index: number): TestHost => environment.test.hosts[index] as TestHost;

/** From here to the end of the test, clients talk to these servers and give up at the first error. */
function underLoad(...servers: TestHost[]): void {
  loads = servers.map(({ address }) => startLoad(`http://${address}`, paths, { connections: 8 }));
}

/** The one message that a run ended with. */
function messageOf({ exitCode, errors }: Ended): string {
  expect(exitCode).toBe(1);
  expect(errors).toHaveLength(1);
  return errors[0] ?? '';
}

const running = (): Promise<string[]> =>
  Promise.all(environment.test.hosts.map(({ docker }) => docker('ps', '-q', '--no-trunc')));

async function versionAt(index: number): Promise<string> {
  const response = await fetch(`http://${server(index).address}/api/auth/version`);
  return ((await response.json()) as { version: string }).version;
}

/** Breaks something; what it returns mends it. */
type Fault = (images: Record<string, string>) => Promise<() => Promise<void>>;

describe('refused before anything is touched', () => {
  const corrupt =
    (service: string, part: 'manifest' | 'layer'): Fault =>
    async (images) => {
      environment.registry.corrupt(images[service] ?? '', part);
      return async () => {};
    };
  const gone: Fault = async () => {
    await environment.registry.off();
    return environment.registry.on;
  };

  test.each<[string, Fault, RegExp]>([
    [
      'the registry is gone',
      gone,
      /app-\d cannot pull an image: .*connection refused.* Check that the registry answers/,
    ],
    [
      "an image's manifest is not what its digest names",
      corrupt('auth-service', 'manifest'),
      /app-\d cannot pull an image: .*sha256:[0-9a-f]{64}.* What the registry holds is not what was built/,
    ],
    [
      "an image's layer is not what its digest names",
      corrupt('api-gateway', 'layer'),
      /app-\d cannot pull an image: .*sha256:[0-9a-f]{64}.* What the registry holds is not what was built/,
    ],
    [
      'the disk of a server is full',
      () => server(1).fillDisk(),
      /app-2 has 0\.0 GiB free for images and needs 1\.\d GiB/,
    ],
    [
      'a server shows another host key than in the run before',
      () => server(1).showOtherKey(),
      /The host key of app-2 .* is not trusted: it showed ssh-ed25519 SHA256:\S+, known_hosts expects/,
    ],
  ])(
    '%s',
    async (_what, fault, message) => {
      const before = await running();
      underLoad(server(0), server(1));
      const inputs = await deploy('1.1.0', ['auth-service', 'api-gateway']);
      restore = await fault(JSON.parse(inputs.images ?? '{}'));
      const end = await start('action-deploy', inputs).ended;
      expect(messageOf(end)).toMatch(message);
      expect(end.outputs).toEqual({ status: 'failed', version: '1.1.0' });
      expect(end.summary).toContain('staging: deploy of 1.1.0 was refused; nothing was swapped');
      expect(await running()).toEqual(before);
    },
    180_000,
  );
});

describe('in the middle of a release', () => {
  test('a disk that fills up: everything goes back', async () => {
    underLoad(server(0), server(1));
    const begun = start('action-deploy', await deploy('2.0.0', ['auth-service']));
    await begun.said('app-1  ▶ start auth-service');
    restore = await server(1).fillDisk();
    const end = await begun.ended;
    expect(messageOf(end)).toMatch(
      /^Deploy of 2\.0\.0 failed\. The disk of app-2 is full: .* Everything was rolled back\.$/,
    );
    expect(end.outputs.status).toBe('rolled-back');
    expect([await versionAt(0), await versionAt(1)]).toEqual(['1.0.0', '1.0.0']);
  }, 180_000);

  test('a server that loses its power: the others go back', async () => {
    underLoad(server(0));
    const inputs = { ...(await deploy('2.1.0', ['auth-service'])), batch: '2' };
    const begun = start('action-deploy', inputs);
    await begun.said('app-2  ▶ wait until healthy');
    await server(1).powerOff();
    const end = await begun.ended;
    expect(messageOf(end)).toMatch(
      /Cannot reach app-2 over SSH: [\s\S]*The rollback failed too, on app-2: /,
    );
    expect(end.outputs.status).toBe('failed');
    expect(await versionAt(0)).toBe('1.0.0');
  }, 180_000);

  test('the post step frees the lease where somebody answers', async () => {
    const [host] = environment.hosts;
    if (host === undefined) throw new Error('there is no server');
    const holder = { owner: 'dead', run: '', waitMs: 60_000, say: () => {} };
    const lease = await Lease.take([host], holder);
    const inputs = await deploy('2.2.0', ['auth-service']);
    const state = { 'lease-token': String(lease.token) };
    const post = await start('action-deploy', inputs, { entry: 'post', state }).ended;
    await lease.free();
    expect(post.exitCode).toBe(0);
    expect(post.stdout).toContain('Freed the lease on 1 hosts');
  }, 120_000);
});
