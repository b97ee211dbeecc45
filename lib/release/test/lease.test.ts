import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Connection } from '../../ssh/connection.ts';
import { SshPool } from '../../ssh/pool.ts';
import { Host, LeaseLostError } from '../host.ts';
import { journalFile } from '../layout.ts';
import { freeLeases, Lease, readLease } from '../lease.ts';
import type { Manifest } from '../manifest.ts';
import { type HostTarget, journal } from '../roll.ts';
import type { Slot } from '../slots.ts';
import { begun } from '../store.ts';
import { accept } from '../traffic.ts';
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
}, 180_000);

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

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('one lease for an environment', () => {
  test('lies on every server with one token, and changes need it', async () => {
    const hosts = run();
    await expect(hosts[0]?.change(['true'])).rejects.toThrow(/No lease on app-1/);
    const told: number[] = [];
    const taken = (token: number) => told.push(token);
    const lease = await Lease.take(hosts, { ...by('first'), taken });
    const records = await Promise.all(hosts.map(readLease));
    expect(new Set(records.map((record) => record?.token)).size).toBe(1);
    await hosts[1]?.change(['true']);
    await lease.free();
    expect((await readLease(hosts[0] as Host))?.expires).toBe(0);
    // Whoever was to free it after a kill has nothing to do.
    expect(told).toEqual([lease.token, 0]);
  }, 180_000);

  test('is waited for, with the name of who holds it, and then taken', async () => {
    const said: string[] = [];
    const first = await Lease.take(run(), by('first'));
    const waiting = Lease.take(run(), by('second', 60_000, 30, said));
    while (said.length === 0) await pause(50);
    await first.free();
    const second = await waiting;
    expect(said[0]).toMatch(/Waiting for the lease: first \(https:\/\/ci\.example\/first\)/);
    await second.free();
  }, 180_000);

  test('is not waited for without end', async () => {
    const first = await Lease.take(run(), by('first'));
    await expect(Lease.take(run(), by('second', 1_000))).rejects.toThrow(/is held by first/);
    await first.free();
  }, 180_000);

  test('of two who come at once goes to one', async () => {
    const takes = [by('x'), by('y'), by('z')].map((options) => Lease.take(run(), options));
    const results = await Promise.allSettled(takes);
    const taken = results.filter((result) => result.status === 'fulfilled');
    expect(taken).toHaveLength(1);
    for (const result of taken) await result.value.free();
  }, 180_000);

  test('that was taken over lets the old holder change nothing more', async () => {
    const old = run();
    const first = await Lease.take(old, by('first'));
    const second = await Lease.take(run(), by('second'), true);
    await expect(old[0]?.change(['true'])).rejects.toThrow(LeaseLostError);
    await expect(old[0]?.change(['true'], { allowFailure: true })).rejects.toThrow(LeaseLostError);
    const slot = { address: '127.0.0.1' } as Slot;
    await expect(accept(old[0] as Host, slot, false)).rejects.toThrow(LeaseLostError);
    await first.free();
    expect((await readLease(old[0] as Host))?.owner).toBe('second');
    await second.free();
  }, 180_000);

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
  }, 180_000);

  test('stays given back, though a renewal was under way', async () => {
    const gate = Promise.withResolvers<void>();
    let slow = false;
    let renewals = 0;
    const hosts = servers.hosts.map(
      ({ name, ssh }) =>
        new Host(name, ssh, async () => {
          if (slow && ++renewals <= 2) await gate.promise;
          return pool.connect(ssh, name);
        }),
    );
    const lease = await Lease.take(hosts, by('brief', 0, 2));
    slow = true;
    while (renewals < 2) await pause(50);
    const freed = lease.free();
    await pause(200);
    gate.resolve();
    await freed;
    await pause(300);
    const records = await Promise.all(run().map(readLease));
    expect(records.map((record) => record?.expires)).toEqual([0, 0]);
  }, 180_000);

  test('that was freed by force is lost to a holder who still lives', async () => {
    const lease = await Lease.take(run(), by('not dead', 0, 1));
    await freeLeases(run(), undefined);
    while (!lease.lost.aborted) await pause(50);
    expect(String(lease.lost.reason)).toContain('It was freed.');
    expect((await readLease(run()[0] as Host))?.expires).toBe(0);
    await lease.free();
  }, 180_000);

  test('that is freed by force in the midst of a renewal stays freed', async () => {
    const [host] = run() as [Host];
    const lease = await Lease.take([host], by('renewing', 0, 2));
    const { stdout } = await host.read(['sh', '-c', 'command -v sudo']);
    const sed = join(dirname(stdout.trim()), 'sed');
    // A renewal that has read when the lease ends goes on a second later.
    const slow = `#!/bin/sh
/usr/bin/sed "$@"
case "$*" in *expires*) touch "$0.read"; sleep 1 ;; esac
`;
    writeFileSync(sed, slow, { mode: 0o755 });
    try {
      while (!existsSync(`${sed}.read`)) await pause(20);
      expect(await freeLeases(run().slice(0, 1), undefined)).toHaveLength(1);
      await pause(1_000);
      expect((await readLease(host))?.expires).toBe(0);
    } finally {
      rmSync(sed);
      await lease.free();
    }
  }, 180_000);

  test('that ran out on a server which was away is not taken from who holds the others', async () => {
    const hosts = run();
    const first = await Lease.take(hosts, by('rebooting'));
    const expire = 's/"expires":[0-9]*/"expires":1/';
    await hosts[0]?.change(['sed', '-i', expire, '/opt/compta/lease.json']);
    await expect(Lease.take(run(), by('second'))).rejects.toThrow(/is held by rebooting/);
    await hosts[0]?.change(['true']);
    await first.free();
  }, 180_000);

  test('is joined by what was started under it, which can neither renew nor free it', async () => {
    const first = await Lease.take(run(), { ...by('first'), reason: 'new disks' });
    const [host] = run();
    const part = await Lease.take([host as Host], { ...by('part'), within: first.token });
    await host?.change(['true']);
    await part.free();
    expect(await readLease(host as Host)).toMatchObject({ owner: 'first', reason: 'new disks' });
    expect((await readLease(host as Host))?.expires).toBeGreaterThan(0);
    const wrong = Lease.take(run(), { ...by('part'), within: first.token - 1 });
    await expect(wrong).rejects.toThrow(/app-1 is held by first .*: new disks by now/);
    await first.free();
    const late = Lease.take(run(), { ...by('part'), within: first.token });
    await expect(late).rejects.toThrow(/app-1 is free by now/);
  }, 180_000);

  test('of a dead process can be freed by its token, and by force', async () => {
    const hosts = run();
    const dead = await Lease.take(hosts, by('dead'));
    expect(await freeLeases(run(), 1)).toEqual([]);
    expect(await freeLeases(run(), hosts[0]?.token)).toHaveLength(2);
    await dead.free();
    const next = await Lease.take(run(), by('next'));
    expect(await freeLeases(run(), undefined)).toHaveLength(2);
    await next.free();
  }, 180_000);
});

describe('a connection that breaks before a file has arrived', () => {
  /** The first server, as a connection leaves it that begins commands and then breaks. */
  const cutOff = (): Host => {
    const [{ name, ssh } = { name: '', ssh: '' }] = servers.hosts;
    return new Host(name, ssh, async () => {
      const connection = await pool.connect(ssh, name);
      const exec: Connection['exec'] = (command, { input: _lost, ...options } = {}) =>
        connection.exec(command, options);
      return { exec } as Connection;
    });
  };

  test('leaves the file as it was', async () => {
    const host = cutOff();
    const lease = await Lease.take([host], by('cut'));
    const path = '/opt/compta/some.json';
    await host.change(['sh', '-c', 'echo old >"$1"', 'sh', path]);
    await expect(host.write(path, 'new\n', '0644')).rejects.toThrow(/only a part of .* arrived/);
    const { stdout } = await host.read(['sh', '-c', 'cat "$1"; ls "$1".*', 'sh', path], {
      allowFailure: true,
    });
    expect(stdout).toBe('old\n');
    await lease.free();
  }, 180_000);

  test('leaves the journal as it was, and what it was about to say is not begun', async () => {
    const [whole] = run();
    const host = cutOff();
    if (!whole) throw new Error('there is no server');
    const lease = await Lease.take([host], by('cut'));
    whole.token = lease.token;
    const bringing = (at: Host, release: string): HostTarget => ({
      host: at,
      target: { release } as Manifest,
      current: undefined,
    });
    await journal(bringing(whole, '1.0.0-abc'), 'begin');
    await expect(journal(bringing(host, '1.0.1-def'), 'begin')).rejects.toThrow(
      /only a part of .* arrived/,
    );
    expect(await begun(host)).toMatchObject({ release: '1.0.0-abc' });
    await host.change(['rm', '-f', journalFile]);
    expect(await begun(host)).toBeUndefined();
    await lease.free();
  }, 180_000);
});

test('what cannot be read on a server is not taken for what is not there', async () => {
  const [host] = run();
  expect(await host?.content('/opt/compta/none/at/all')).toBeUndefined();
  await expect(host?.content('/opt/compta')).rejects.toThrow(
    '/opt/compta on app-1 cannot be read: cat: /opt/compta: Is a directory',
  );
});
