import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { SshPool } from '../../ssh/pool.ts';
import { Host, LeaseLostError } from '../host.ts';
import { freeLeases, Lease, readLease } from '../lease.ts';
import { startHosts, type TestHosts } from './fixture/hosts.ts';

let servers: TestHosts;
let pool: SshPool;
beforeAll(async () => {
  servers = await startHosts(2);
  pool = new SshPool({
    user: 'deploy',
    port: servers.port,
    privateKey: servers.privateKey,
    knownHosts: servers.knownHosts,
    jumpHost: servers.bastion,
  });
}, 120_000);
afterAll(async () => {
  await pool?.close();
  await servers?.close();
}, 60_000);

/** The same servers as another run sees them. */
const run = (): Host[] =>
  servers.hosts.map(({ name, ssh }) => new Host(name, ssh, () => pool.connect(ssh, name)));
const by = (owner: string, waitMs = 0, lifetime = 30, said: string[] = []) => ({
  owner,
  run: `https://ci.example/${owner}`,
  waitMs,
  lifetime,
  say: (line: string) => said.push(line),
});

describe('one lease for an environment', () => {
  test('lies on every server with one token, and changes need it', async () => {
    const hosts = run();
    await expect(hosts[0]?.change(['true'])).rejects.toThrow(/No lease on app-1/);
    const lease = await Lease.take(hosts, by('first'));
    const records = await Promise.all(hosts.map(readLease));
    expect(new Set(records.map((record) => record?.token)).size).toBe(1);
    await hosts[1]?.change(['true']);
    await lease.free();
    expect((await readLease(hosts[0] as Host))?.expires).toBe(0);
  }, 60_000);

  test('is waited for, with the name of who holds it, and then taken', async () => {
    const said: string[] = [];
    const first = await Lease.take(run(), by('first'));
    const waiting = Lease.take(run(), by('second', 60_000, 30, said));
    setTimeout(() => void first.free(), 2_000);
    const second = await waiting;
    expect(said[0]).toMatch(/Waiting for the lease: first \(https:\/\/ci\.example\/first\)/);
    await second.free();
  }, 60_000);

  test('is not waited for without end', async () => {
    const first = await Lease.take(run(), by('first'));
    await expect(Lease.take(run(), by('second', 1_000))).rejects.toThrow(/is held by first/);
    await first.free();
  }, 60_000);

  test('of two who come at once goes to one', async () => {
    const takes = [by('x'), by('y'), by('z')].map((options) => Lease.take(run(), options));
    const results = await Promise.allSettled(takes);
    const taken = results.filter((result) => result.status === 'fulfilled');
    expect(taken).toHaveLength(1);
    for (const result of taken) await result.value.free();
  }, 60_000);

  test('that was taken over lets the old holder change nothing more', async () => {
    const old = run();
    const first = await Lease.take(old, by('first'));
    const second = await Lease.take(run(), by('second'), true);
    await expect(old[0]?.change(['true'])).rejects.toThrow(LeaseLostError);
    await first.free();
    expect((await readLease(old[0] as Host))?.owner).toBe('second');
    await second.free();
  }, 60_000);

  test('of a run that went silent is taken over, and what it wakes up to do is refused', async () => {
    let silent = false;
    const old = servers.hosts.map(
      ({ name, ssh }) =>
        new Host(name, ssh, () =>
          silent ? Promise.reject(new Error('asleep')) : pool.connect(ssh, name),
        ),
    );
    const first = await Lease.take(old, by('sleeper', 0, 2));
    silent = true;
    const second = await Lease.take(run(), by('second', 60_000));
    silent = false;
    await expect(old[1]?.change(['true'])).rejects.toThrow(/taken over by another run/);
    await first.free();
    expect((await readLease(old[0] as Host))?.owner).toBe('second');
    await second.free();
  }, 90_000);

  test('of a dead process can be freed by its token, and by force', async () => {
    const hosts = run();
    const dead = await Lease.take(hosts, by('dead'));
    expect(await freeLeases(run(), 1)).toEqual([]);
    expect(await freeLeases(run(), hosts[0]?.token)).toHaveLength(2);
    await dead.free();
    const next = await Lease.take(run(), by('next'));
    expect(await freeLeases(run(), undefined)).toHaveLength(2);
    await next.free();
  }, 60_000);
});
