import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import {
  paths,
  startEnvironment,
  type TestEnvironment,
} from '../../lib/release/test/fixture/environment.ts';
import { type LoadResult, startLoad } from '../../lib/release/test/fixture/load.ts';
import { type StreamTarget, watchStream } from '../../lib/release/test/fixture/streams.ts';
import { setAccepting } from '../../lib/release/test/fixture/traffic.ts';
import type { Ended } from '../../lib/runner/test/start-action.ts';
import { connectionTo, start } from './release-step.ts';

let environment: TestEnvironment;
let loads: ReturnType<typeof startLoad>[] = [];
beforeAll(async () => {
  environment = await startEnvironment(2);
}, 120_000);
afterAll(async () => {
  await environment?.close();
}, 180_000);
afterEach(async () => {
  await noFailedRequest();
});

const connection = () => connectionTo(environment);

async function deploy(
  version: string,
  faults: Record<string, string> = {},
  only?: string[],
): Promise<Record<string, string>> {
  const wanted = await environment.wanted(version, faults, only);
  const { images, variables } = wanted;
  return {
    ...connection(),
    version,
    images: JSON.stringify(images),
    variables: JSON.stringify(variables),
  };
}

const ran = (action: string, inputs: Record<string, string>): Promise<Ended> =>
  start(action, inputs).ended;

/** From here to the end of the test, clients talk to both servers and give up at the first error. */
function underLoad(): void {
  const { hosts } = environment.test;
  loads = hosts.map((host) => startLoad(`http://${host.address}`, paths, { connections: 8 }));
}

async function noFailedRequest(): Promise<LoadResult[]> {
  const results = await Promise.all(loads.splice(0).map((load) => load.stop()));
  expect(results.flatMap((result) => result.failed)).toEqual([]);
  return results;
}

async function versionAt(host: number, path: string): Promise<string> {
  const response = await fetch(`http://${environment.test.hosts[host]?.address}${path}`);
  return ((await response.json()) as { version: string }).version;
}

describe('releases on two servers', () => {
  test('the first one starts everything, what a killed run left of it too', async () => {
    const inputs = await deploy('1.0.0');
    const killed = start('action-deploy', inputs);
    await killed.said('▶ prove its readiness contract, bring into rotation auth-service');
    killed.kill('SIGKILL');
    await killed.ended;
    const [host] = environment.hosts;
    const slot = (await host?.state())?.slots.find(({ service }) => service === 'auth-service');
    if (host && slot) await setAccepting(host, slot, false);
    const end = await ran('action-deploy', inputs);
    expect(await versionAt(0, '/api/auth/version')).toBe('1.0.0');
    expect(end.stdout).not.toContain('::error');
    expect(end.outputs).toMatchObject({ status: 'deployed', version: '1.0.0' });
    expect(await versionAt(1, '/api/accounting/version')).toBe('1.0.0');
  }, 300_000);

  test('the same again touches nothing', async () => {
    const end = await ran('action-deploy', await deploy('1.0.0'));
    expect(end.outputs.status).toBe('unchanged');
  }, 120_000);

  test('the next one replaces everything, and no request fails', async () => {
    underLoad();
    const logins = () => environment.test.hosts.map((host) => host.logins());
    const before = logins();
    const end = await ran('action-deploy', await deploy('1.1.0'));
    // One connection a server, whatever is done on it.
    expect(logins()).toEqual(before.map((count) => count + 1));
    expect(end.outputs).toMatchObject({ status: 'deployed', 'previous-version': '1.0.0' });
    expect(end.summary).toContain('```mermaid');
    // What changes is told before the first step.
    const [told = ''] = end.stdout.split('▶ open the journals');
    expect(told).toMatch(/app-2 +· auth-service: 1\.0\.0 → 1\.1\.0\n/);
    expect(told).toMatch(/app-2 +· {3}\+AUTH_SERVICE_VERSION=1\.1\.0\n/);
    const results = await noFailedRequest();
    for (const { versions } of results)
      expect(Object.keys(versions).sort()).toEqual(['1.0.0', '1.1.0']);
  }, 300_000);

  test('streams are closed as they should be, and go on at once with the new version', async () => {
    const [{ address = '' } = {}] = environment.test.hosts;
    const kinds: StreamTarget[] = [
      { kind: 'events', url: new URL('/api/events', `http://${address}`) },
      { kind: 'events', url: new URL('/api/auth/events', `http://${address}`) },
      { kind: 'socket', url: new URL('/api/socket', `http://${address}`) },
    ];
    const streams = [...kinds, ...kinds].map(watchStream);
    underLoad();
    const only = ['auth-service', 'api-gateway'];
    const end = await ran('action-deploy', await deploy('1.1.1', {}, only));
    expect(end.outputs.status).toBe('deployed');
    // It waited for none of them to end by itself.
    expect(end.stdout).not.toContain('to be idle');
    for (const { stop } of streams) {
      const seen = await stop();
      expect(seen).toMatchObject({ failed: [], versions: ['1.1.0', '1.1.1'] });
      expect(seen.closed).toBeGreaterThan(0);
      expect(seen.longestGap).toBeLessThan(2_000);
    }
  }, 120_000);

  test('of two at once the second waits, and neither undoes the other', async () => {
    underLoad();
    const next = await deploy('1.2.0', {}, ['accounting-service']);
    const first = start('action-deploy', await deploy('1.1.2', {}, ['reporting-service']));
    await first.said('✓ take the lease');
    const second = await ran('action-deploy', next);
    expect(second.stdout).toContain('Waiting for the lease');
    expect(second.outputs.status).toBe('deployed');
    expect((await first.ended).outputs.status).toBe('deployed');
    expect(await versionAt(0, '/api/accounting/version')).toBe('1.2.0');
    expect(await versionAt(0, '/api/reporting/version')).toBe('1.1.2');
    expect(await versionAt(0, '/api/auth/version')).toBe('1.1.1');
  }, 300_000);

  test('one that never becomes healthy goes back, everywhere, and says why', async () => {
    underLoad();
    const faults = { 'reporting-service': 'exits' };
    const only = ['accounting-service', 'reporting-service'];
    const end = await ran('action-deploy', await deploy('1.3.0', faults, only));
    expect(end.exitCode).toBe(1);
    expect(end.outputs.status).toBe('rolled-back');
    expect(end.summary).toContain('cannot open the ledger: disk quota exceeded');
    expect(end.stdout.match(/::error/g)).toHaveLength(1);
    for (const host of [0, 1]) {
      expect(await versionAt(host, '/api/auth/version')).toBe('1.1.1');
      expect(await versionAt(host, '/api/accounting/version')).toBe('1.2.0');
    }
  }, 300_000);

  test('one that fails stays where it is when it was told to, until a rollback', async () => {
    underLoad();
    const faults = { 'reporting-service': 'exits' };
    const inputs = await deploy('1.3.1', faults, ['auth-service', 'reporting-service']);
    const end = await ran('action-deploy', { ...inputs, 'rollback-on-failure': 'false' });
    expect(end).toMatchObject({ exitCode: 1, outputs: { status: 'failed' } });
    for (const host of [0, 1]) {
      expect(await versionAt(host, '/api/auth/version')).toBe('1.3.1');
      expect(await versionAt(host, '/api/reporting/version')).not.toBe('1.3.1');
      const audited = await environment.hosts[host]?.content('/opt/compta/audit.log');
      expect(audited).toMatch(/begin deploy 1\.3\.1-\w+".*"deploy 1\.3\.1-\w+ failed"/s);
    }
    const undo = { ...connection(), reason: 'looked at', confirm: 'staging' };
    expect((await ran('action-rollback', undo)).outputs).toMatchObject({ version: '1.2.0' });
    for (const host of [0, 1]) expect(await versionAt(host, '/api/auth/version')).toBe('1.1.1');
  }, 300_000);

  test('one that runs out of memory goes back, and says so', async () => {
    underLoad();
    const faults = { 'auth-service': 'eats-memory' };
    const end = await ran('action-deploy', await deploy('1.3.2', faults, ['auth-service']));
    expect(end.outputs.status).toBe('rolled-back');
    expect(end.stdout).toMatch(
      /auth-service-[ab] on app-\d did not become healthy: it ran out of memory\./,
    );
    expect(await versionAt(0, '/api/auth/version')).toBe('1.1.1');
  }, 300_000);

  test('one that ignores the readiness contract is refused with what to add', async () => {
    underLoad();
    const faults = { 'auth-service': 'ignores-contract' };
    const end = await ran('action-deploy', await deploy('1.4.0', faults, ['auth-service']));
    expect(end.outputs.status).toBe('rolled-back');
    expect(end.stdout).toContain('does not keep the readiness contract');
    // Where it really listens.
    expect(end.summary).toMatch(/\*:8080, \*:8081|\*:8081, \*:8080/);
    expect(await versionAt(0, '/api/auth/version')).toBe('1.1.1');
  }, 300_000);

  test('one that users do not get, though every container has it, goes back everywhere', async () => {
    underLoad();
    // The public address leads elsewhere.
    const elsewhere = createServer((_request, response) => response.end('{"version":"0.0.1"}'));
    await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
    const base = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}`;
    const inputs = await deploy('1.5.0', {}, ['auth-service']);
    const end = await ran('action-deploy', { ...inputs, 'base-url': base });
    elsewhere.close();
    expect(end.outputs.status).toBe('rolled-back');
    expect(end.stdout).toContain(
      `${base}/api/auth/version does not give auth-service 1.5.0 through the load balancer: it answers version 0.0.1.`,
    );
    for (const host of [0, 1]) expect(await versionAt(host, '/api/auth/version')).toBe('1.1.1');
  }, 300_000);

  test('a run killed in the middle of a swap is finished by the next', async () => {
    underLoad();
    const inputs = await deploy('2.0.0', {}, ['auth-service', 'accounting-service']);
    const killed = start('action-deploy', inputs);
    await killed.said('▶ take out of rotation, drain and end accounting-service');
    killed.kill('SIGKILL');
    await killed.ended;
    const end = await ran('action-deploy', inputs);
    expect(end.stdout).toContain('an earlier run ended in the middle of 2.0.0');
    expect(end.outputs.status).toBe('deployed');
    for (const host of [0, 1]) {
      expect(await versionAt(host, '/api/auth/version')).toBe('2.0.0');
      expect(await versionAt(host, '/api/accounting/version')).toBe('2.0.0');
    }
  }, 400_000);

  test('a rollback brings the release before back, also when it is killed and asked for again', async () => {
    underLoad();
    const inputs = { ...connection(), reason: 'totals are wrong', confirm: 'staging' };
    const killed = start('action-rollback', inputs);
    await killed.said('▶ take out of rotation, drain and end auth-service');
    killed.kill('SIGKILL');
    await killed.ended;
    const end = await ran('action-rollback', inputs);
    expect(end.outputs).toMatchObject({ status: 'deployed', version: '1.2.0' });
    expect(await versionAt(1, '/api/auth/version')).toBe('1.1.1');
    expect(await versionAt(1, '/api/accounting/version')).toBe('1.2.0');
  }, 300_000);
});

test('a cancelled run frees the environment in its post step', async () => {
  const before = await ran('action-deploy', await deploy('2.9.0', {}, ['auth-service']));
  expect(before.outputs.status).toBe('deployed');
  const inputs = await deploy('3.0.0', {}, ['auth-service']);
  const killed = start('action-deploy', inputs);
  await killed.said('app-1  ▶ wait until healthy');
  killed.kill('SIGKILL');
  await killed.ended;
  const lease = JSON.parse((await environment.hosts[0]?.content('/opt/compta/lease.json')) ?? '{}');
  const state = { 'lease-token': `${lease.token}` };
  const post = await start('action-deploy', inputs, { entry: 'post', state }).ended;
  expect(post.stdout).toContain('Freed the lease on 2 hosts');
  const undo = { ...connection(), reason: 'was cancelled', confirm: 'staging' };
  const end = await ran('action-rollback', { ...undo, services: 'auth-service' });
  expect(end.outputs).toMatchObject({ status: 'deployed', version: '2.9.0' });
  expect(await environment.hosts[0]?.content('/opt/compta/journal.json')).toBeUndefined();
  const again = await ran('action-rollback', { ...undo, version: '2.9.0' });
  expect(again.outputs.status).toBe('unchanged');
}, 300_000);

test('a run that is interrupted ends in the seconds that it has, and frees the environment itself', async () => {
  const before = await ran('action-deploy', await deploy('3.1.0', {}, ['auth-service']));
  expect(before.outputs.status).toBe('deployed');
  underLoad();
  const faults = { 'auth-service': 'never-healthy' };
  const interrupted = start('action-deploy', await deploy('3.2.0', faults, ['auth-service']));
  await interrupted.said('app-1  ▶ wait until healthy');
  const begun = Date.now();
  interrupted.kill('SIGINT');
  const end = await interrupted.ended;
  expect(Date.now() - begun).toBeLessThan(7_500);
  expect(end).toMatchObject({ exitCode: 1, outputs: { status: 'failed', version: '3.2.0' } });
  expect(end.stdout.match(/::error/g)).toHaveLength(1);
  expect(end.summary).toContain('staging: deploy of 3.2.0 was stopped');
  const audited = await environment.hosts[0]?.content('/opt/compta/audit.log');
  expect(audited?.trim().split('\n').at(-1)).toMatch(/"what":"begin deploy 3\.2\.0-\w+"/);
  const leases = await Promise.all(
    environment.hosts.map((host) => host.content('/opt/compta/lease.json')),
  );
  expect(leases.map((lease) => JSON.parse(lease ?? '{}').expires)).toEqual([0, 0]);
  const undo = { ...connection(), from: '3.2.0', reason: 'was stopped', confirm: 'staging' };
  expect((await ran('action-rollback', undo)).outputs).toMatchObject({ version: '3.1.0' });
  expect(await versionAt(1, '/api/auth/version')).toBe('3.1.0');
}, 300_000);
