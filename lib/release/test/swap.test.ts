import { expect, test } from '@jest/globals';
import { Host } from '../host.ts';
import type { Step } from '../plan.ts';
import type { Slot } from '../slots.ts';
import { perform } from '../swap.ts';

/** A server with Caddy and one slot. */
class OneSlot extends Host {
  status = 'running';
  health = 'healthy';
  restarts = 0;
  accepting = true;
  inFlight = 0;
  /** Whether the slot took requests when it was ended. */
  acceptedAtItsEnd: boolean | undefined;
  /** How many questions to the slot get no answer. */
  lost = 0;
  /** Seconds since the container was started. */
  age = 0;

  constructor() {
    super('app-1', '', () => Promise.reject(new Error('nobody is there')));
  }

  override async state() {
    const slot: Slot = {
      id: 'f00',
      service: 'auth-service',
      slot: 'a',
      image: 'i',
      version: '1',
      config: 'c',
      release: '1',
      health: 'healthy',
      startedAt: '',
      address: '172.18.0.2',
    };
    const edge = { id: 'ed9e', image: 'i', config: 'c', address: '172.18.0.3' };
    return { slots: [slot], edge, outOfRotation: false };
  }

  override async http(url: string, ...options: string[]) {
    if (url.endsWith('/upstreams')) return { status: 200, body: '[]' };
    if (this.lost-- > 0) return { status: 0, body: '' };
    if (options.includes('POST')) this.accepting = JSON.parse(options.at(-1) ?? '').accept;
    const status = url.endsWith('/readiness') && !this.accepting ? 503 : 200;
    return { status, body: JSON.stringify({ accept: this.accepting, inFlight: this.inFlight }) };
  }

  override async read([program]: readonly string[]) {
    const StartedAt = new Date(0).toISOString();
    const Log = [{ End: StartedAt, Output: 'not alive\n', ExitCode: 1 }];
    const Health = { Status: this.health, Log: this.health === 'healthy' ? [] : Log };
    const State = {
      Status: this.status,
      ExitCode: 0,
      OOMKilled: false,
      Error: '',
      StartedAt,
      Health,
    };
    const inspected = JSON.stringify({ RestartCount: this.restarts, State });
    const asked = 'X-Compta-Slot: auth-service-a:8080\r\n';
    return {
      code: 0,
      stdout: program === 'curl' ? asked : `${this.age}\n${inspected}`,
      stderr: '',
    };
  }

  override async change(words: readonly string[]) {
    if (words[2]?.includes('docker unpause')) this.health = 'healthy';
    else this.acceptedAtItsEnd = this.accepting;
    return { code: 0, stdout: '', stderr: '' };
  }
}

const step = (kind: Step['kind']): Step => ({ kind, service: 'auth-service', slot: 'a' });
const patience = { healthTimeout: 60_000, drainTimeout: 60_000 };

test('a slot too busy to answer is not ended before it says that it takes no more', async () => {
  const host = new OneSlot();
  host.lost = 2;
  await perform(host, step('retire'), '1', patience, () => {});
  expect(host.acceptedAtItsEnd).toBe(false);
});

test('a slot whose requests do not end is ended all the same, after drain-timeout and not before', async () => {
  const host = new OneSlot();
  host.inFlight = 1;
  const said: string[] = [];
  const begun = Date.now();
  const limits = { ...patience, drainTimeout: 1_000 };
  await perform(host, step('end'), '1', limits, (line) => said.push(line));
  expect(Date.now() - begun).toBeGreaterThanOrEqual(1_000);
  expect(host.acceptedAtItsEnd).toBe(true);
  expect(said).toEqual([
    'auth-service-a: Waited 1 s for auth-service-a to be idle. It is ended with its grace of 30 s all the same.',
  ]);
});

test('a slot that has requests is not ended before they are done', async () => {
  const host = new OneSlot();
  host.inFlight = 1;
  setTimeout(() => {
    host.inFlight = 0;
  }, 1_000);
  const said: string[] = [];
  const begun = Date.now();
  await perform(host, step('end'), '1', patience, (line) => said.push(line));
  expect(Date.now() - begun).toBeGreaterThanOrEqual(1_000);
  expect(said).toEqual([]);
});

test('a new slot is given up after health-timeout, with its last words', async () => {
  const host = new OneSlot();
  host.health = 'starting';
  const limits = { ...patience, healthTimeout: 500 };
  const error = await perform(host, step('await'), '1', limits, () => {}).catch((why) => why);
  expect(error.message).toBe(
    'auth-service-a on app-1 did not become healthy: 0.5 s went by, and its health check last said: ' +
      'exit 1: not alive. If it only starts slowly, raise `health-timeout`.',
  );
  expect(error.evidence).toMatchObject({ service: 'auth-service', status: 'running' });
});

test('a new slot whose health Docker has ceased to check is checked again', async () => {
  const host = new OneSlot();
  host.health = 'starting';
  host.age = 15;
  const begun = Date.now();
  setTimeout(() => {
    host.age = 25;
  }, 1_000);
  await perform(host, step('await'), '1', patience, () => {});
  // Only once it is sure that Docker has not just been slow.
  expect(Date.now() - begun).toBeGreaterThanOrEqual(1_000);
});

test('a new slot that Docker is about to start again is not paused for its health', async () => {
  const host = new OneSlot();
  host.status = 'restarting';
  host.health = 'starting';
  host.age = 25;
  const limits = { ...patience, healthTimeout: 500 };
  await expect(perform(host, step('await'), '1', limits, () => {})).rejects.toThrow(
    '0.5 s went by',
  );
});

test('the last slot of a service that goes takes requests to its end, should the run be killed', async () => {
  const host = new OneSlot();
  await perform(host, step('end'), '1', patience, () => {});
  expect(host.acceptedAtItsEnd).toBe(true);
});

test('a slot that serves is fit to stay, though it ended a few times since it was released', async () => {
  const host = new OneSlot();
  host.restarts = 5;
  await perform(host, step('settle'), '1', patience, () => {});
  expect(host.accepting).toBe(true);
});

test('a new slot that ends again and again is given up', async () => {
  const host = new OneSlot();
  host.restarts = 2;
  const waiting = perform(host, step('await'), '1', patience, () => {});
  await expect(waiting).rejects.toThrow('did not become healthy: it ended 2 times.');
});

test('a slot that starts is not waited for by a job that was cancelled', async () => {
  const job = new AbortController();
  setTimeout(() => job.abort(new Error('The job was cancelled.')), 300);
  const host = new OneSlot();
  host.health = 'starting';
  const waiting = perform(host, step('settle'), '1', { ...patience, stop: job.signal }, () => {});
  await expect(waiting).rejects.toThrow('The job was cancelled.');
});
