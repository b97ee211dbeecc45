import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { run } from '../../../lib/process/run.ts';
import { gatewayAddress, type Instance, loopback, publicAddresses } from '../../instance.ts';
import type { LoadBalancerSpec } from '../../machinery.ts';
import { routerAddress } from '../addresses.ts';
import { docker, findEngine } from '../engine.ts';
import { createMachinery, type LinuxMachinery } from '../machinery.ts';
import { footprint } from './footprint.ts';
import { WEB_USER_DATA } from './trial-server.ts';

jest.setTimeout(300_000);

/** Far from the numbers that checkouts claim, lowest first. */
const NUMBER = 15;
const NETWORK = '10.0.0.0/16';
const [PUBLIC_ONE = '', PUBLIC_TWO = ''] = publicAddresses({ number: NUMBER, stateDirectory: '' });
const PRIVATE = { one: '10.0.1.21', two: '10.0.1.22' };

let instance: Instance;
let machinery: LinuxMachinery;
let balancer: LoadBalancerSpec;
const watching = new AbortController();
let watched: Promise<void>;

beforeAll(async () => {
  const stateDirectory = await mkdtemp(join(tmpdir(), 'compta-hardware-'));
  instance = { number: NUMBER, stateDirectory };
  expect(await footprint(instance)).toEqual([]);
  machinery = createMachinery(instance, () => {});
  await machinery.up();
  watched = machinery.watch(watching.signal);
  await machinery.setPrivateNetwork(NETWORK);
  await Promise.all([
    machinery.createServer({
      id: 1,
      name: 'one',
      publicIp: PUBLIC_ONE,
      userData: WEB_USER_DATA,
      sshKeys: [
        'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8yaHZqj1e8RhSWzq2lAg0QXcp0Yr3hQzDqfU0l9vLW me',
      ],
    }),
    machinery.createServer({
      id: 2,
      name: 'two',
      publicIp: PUBLIC_TWO,
      userData: WEB_USER_DATA,
      sshKeys: [],
    }),
  ]);
  await machinery.setPrivateAddress(1, PRIVATE.one);
  await machinery.setPrivateAddress(2, PRIVATE.two);
  await Promise.all([booted('one'), booted('two')]);
  balancer = trialBalancer();
});

afterAll(async () => {
  watching.abort();
  await watched;
  await machinery.down();
  await rm(instance.stateDirectory, { recursive: true, force: true });
});

describe('servers', () => {
  test('boot with systemd, and cloud-init applies user data, name and keys', async () => {
    expect((await on('one', ['cloud-init', 'status', '--wait'])).trim()).toMatch(/status: done$/);
    expect((await on('one', ['cat', '/etc/hostname'])).trim()).toBe('one');
    expect(await on('one', ['cat', '/root/.ssh/authorized_keys'])).toContain('AAAAIJ8yaHZqj1e8R');
  });

  test('reach each other over the private network', async () => {
    await on('one', ['ping', '-c1', '-W10', PRIVATE.two]);
    await on('two', ['ping', '-c1', '-W10', PRIVATE.one]);
  });

  test('reach the world and its name servers through their public address', async () => {
    await on('one', ['getent', 'hosts', 'deb.debian.org']);
  });

  test('have a place for Docker inside that is no layered file system', async () => {
    const { stdout } = await execute('one', ['findmnt', '-no', 'FSTYPE', '/var/lib/docker']);
    expect(stdout.trim()).not.toBe('overlay');
  });
});

describe('the private network', () => {
  test('is out of the host’s reach, even for a host that takes the router as its way', async () => {
    expect((await run(['ip', 'route', 'get', PRIVATE.one])).stdout).not.toContain('compta15');
    expect(await get(PRIVATE.one, 8080)).not.toBe('one'); // whatever else may answer out there

    const route = [`${PRIVATE.one}/32`, 'via', routerAddress(instance), 'dev', 'compta15'];
    await run(['ip', 'route', 'add', ...route]);
    try {
      expect(await get(PRIVATE.one, 8080)).toBeNull();
    } finally {
      await run(['ip', 'route', 'delete', ...route]);
    }
  });

  test('loses a server whose address is taken away, and gets it back', async () => {
    await machinery.setPrivateAddress(2, null);
    await expect(on('one', ['ping', '-c1', '-W1', PRIVATE.two])).rejects.toThrow('exit code 1');
    await machinery.setPrivateAddress(2, PRIVATE.two);
    await on('one', ['ping', '-c1', '-W10', PRIVATE.two]);
  });
});

describe('the firewall', () => {
  test('lets in what its rules name from where they say, and nothing else', async () => {
    expect(await get(PUBLIC_ONE, 2223, { within: PATIENCE })).toBe('one');
    await machinery.setFirewalls([
      {
        serverId: 1,
        publicIp: PUBLIC_ONE,
        inbound: [
          { protocol: 'tcp', port: '2222', sourceIps: [`${gatewayAddress(instance)}/32`, '::/0'] },
        ],
      },
    ]);
    expect(await get(PUBLIC_ONE, 2222, { within: PATIENCE })).toBe('one');
    expect(await get(PUBLIC_ONE, 2223)).toBeNull();
    expect(await getFrom('two', PUBLIC_ONE, 2222)).toBeNull();
    expect(await getFrom('two', PRIVATE.one, 2223, PATIENCE)).toBe('one'); // the private side is not filtered
    expect(await getFrom('one', PUBLIC_TWO, 2223, PATIENCE)).toBe('two'); // answers to its own come back
    await machinery.setFirewalls([]);
    expect(await getFrom('two', PUBLIC_ONE, 2222, PATIENCE)).toBe('one');
  });
});

describe('a volume', () => {
  const path = '/dev/disk/by-id/scsi-0HC_Volume_9';

  test('appears formatted in a running server and outlives a reboot', async () => {
    await machinery.createVolume({ id: 9, sizeGb: 10, format: 'ext4' });
    await machinery.attachVolume(9, 1);
    const fstab = `${path} /mnt/data ext4 discard,nofail,defaults 0 0`;
    await on('one', ['mkdir', '/mnt/data']);
    await on('one', ['sh', '-c', `echo "${fstab}" >> /etc/fstab && mount /mnt/data`]);
    await on('one', ['sh', '-c', 'echo kept > /mnt/data/file && sync']);

    const before = await bootId('one');
    await on('one', ['systemctl', 'reboot']);
    await until(async () => (await bootId('one')) !== before);
    await booted('one');
    expect((await on('one', ['cat', '/mnt/data/file'])).trim()).toBe('kept');
    await on('one', ['ping', '-c1', '-W10', PRIVATE.two]);
  });

  test('grows', async () => {
    await machinery.resizeVolume(9, 12);
    expect((await on('one', ['blockdev', '--getsize64', path])).trim()).toBe(
      String(12 * 1024 ** 3),
    );
  });

  test('moves to another server with its content', async () => {
    await machinery.attachVolume(9, 2);
    await expect(on('one', ['test', '-e', path])).rejects.toThrow('exit code 1');
    await expect(on('one', ['mountpoint', '/mnt/data'])).rejects.toThrow('exit code');
    await on('two', ['mount', path, '/mnt']);
    expect((await on('two', ['cat', '/mnt/file'])).trim()).toBe('kept');
    await machinery.deleteVolume(9);
  });
});

describe('a load balancer', () => {
  const answer = () => get(balancer.publicIp, 80, { within: PATIENCE });
  const seen = async (count: number) => {
    const names = new Set<string | null>();
    for (let i = 0; i < count; i++) names.add(await answer());
    return [...names].sort();
  };
  const health = (name: 'one' | 'two') => async () =>
    (await machinery.targetHealth(balancer.id))[`80/${PRIVATE[name]}`];

  test('balances over healthy targets and takes a sick one out', async () => {
    await machinery.setLoadBalancers([balancer]);
    await until(async () => (await health('one')()) === 'healthy');
    await until(async () => (await health('two')()) === 'healthy');
    expect(await seen(6)).toEqual(['one', 'two']);

    await on('two', ['touch', '/run/sick']);
    await until(async () => (await health('two')()) === 'unhealthy');
    expect(await seen(6)).toEqual(['one']);
    await on('two', ['rm', '/run/sick']);
    await until(async () => (await health('two')()) === 'healthy');
  });

  test('sends a request once, even when its answer never comes', async () => {
    const response = await fetch(`http://${balancer.publicIp}/`, { method: 'POST', body: 'pay' });
    expect(response.status).toBe(502);
    const drops = await Promise.all([
      get(PUBLIC_ONE, 8080, { path: 'drops', within: PATIENCE }),
      get(PUBLIC_TWO, 8080, { path: 'drops', within: PATIENCE }),
    ]);
    expect(drops.map(Number).reduce((a, b) => a + b)).toBe(1);
  });

  test('loses no request while it is reconfigured', async () => {
    const answers: (string | null)[] = [];
    let loading = true;
    const load = (async () => {
      while (loading && answers.length < 5_000) answers.push(await answer());
    })();
    for (const algorithm of ['least_connections', 'round_robin'] as const) {
      await machinery.setLoadBalancers([{ ...balancer, algorithm }]);
      await sleep(300);
    }
    loading = false;
    await load;
    expect(answers.length).toBeGreaterThan(20);
    expect(answers.filter((answer) => answer === null)).toEqual([]);
  });
});

test('after the engine, HAProxy and the router were killed, `up` repairs all of it', async () => {
  for (const name of ['dockerd', 'haproxy']) {
    const file = await readFile(`/run/compta15/${name}.identity`, 'utf8');
    process.kill((JSON.parse(file) as { pid: number }).pid, 'SIGKILL');
  }
  await run(['ip', 'netns', 'delete', 'compta15']);
  await machinery.up();
  await Promise.all([booted('one'), booted('two')]);
  await on('one', ['ping', '-c1', '-W10', PRIVATE.two]);
  await until(async () => (await get(balancer.publicIp, 80)) !== null);
});

test('a deleted server is gone with its disks', async () => {
  await machinery.deleteServer(2);
  await machinery.deleteServer(2);
  const { servers } = await machinery.status();
  expect(servers.map((server) => server.name)).toEqual(['one']);
  expect(await get(PUBLIC_TWO, 8080)).toBeNull();
});

test('`down` leaves nothing of the instance on the machine', async () => {
  await machinery.createVolume({ id: 10, sizeGb: 1, format: null });
  // A group of a container in the server, which nobody ends when the server's power goes.
  const tree = (await on('one', ['findmnt', '-rno', 'TARGET', '-t', 'cgroup,cgroup2'])).split('\n');
  await on('one', ['mkdir', `${tree[0]}/compta15-inside`]);
  const ids = (await dockerHere(['ps', '-aq', '--no-trunc'])).split('\n').filter((id) => id !== '');
  expect((await footprint(instance, ids)).length).toBeGreaterThan(10);
  watching.abort();
  await watched;
  await machinery.down();
  expect(await footprint(instance, ids)).toEqual([]);
});

function trialBalancer(): LoadBalancerSpec {
  return {
    id: 3,
    name: 'lb',
    publicIp: loopback(instance, 10),
    privateIp: '10.0.1.5',
    algorithm: 'round_robin',
    targets: Object.values(PRIVATE),
    services: [
      {
        protocol: 'http',
        listenPort: 80,
        destinationPort: 8080,
        proxyProtocol: false,
        healthCheck: {
          protocol: 'http',
          port: 8080,
          intervalSeconds: 1,
          timeoutSeconds: 1,
          retries: 2,
          path: '/health',
          domain: null,
          statusCodes: ['2??'],
        },
      },
    ],
  };
}

async function dockerHere(args: string[]): Promise<string> {
  const engine = await findEngine(instance);
  if (!engine) throw new Error('no engine answers');
  return (await docker(engine, args)).stdout;
}

/** Runs a command in a server. */
async function execute(server: string, argv: string[]) {
  const engine = await findEngine(instance);
  if (!engine) throw new Error('no engine answers');
  return docker(engine, ['exec', `compta15-${server}`, ...argv]);
}

async function on(server: string, argv: string[]): Promise<string> {
  return (await execute(server, argv)).stdout;
}

/** Waits for the server's own web service, which cloud-init installs at the first boot. */
async function booted(server: 'one' | 'two'): Promise<void> {
  const address = server === 'one' ? PUBLIC_ONE : PUBLIC_TWO;
  await until(async () => (await get(address, 8080)) === server, 180_000);
}

/** Start time of the server's init. */
async function bootId(server: string): Promise<string> {
  return dockerHere(['inspect', '--format={{.State.StartedAt}}', `compta15-${server}`]);
}

/** Milliseconds for an answer that is due, on a busy machine too; what is dropped is waited for less. */
const PATIENCE = 15_000;
const BRIEFLY = 1_500;

/** Body of an HTTP answer, or null when none came in time or it was no success. */
async function get(
  host: string,
  port: number,
  { path = '', within = BRIEFLY } = {},
): Promise<string | null> {
  try {
    const response = await fetch(`http://${host}:${port}/${path}`, {
      signal: AbortSignal.timeout(within),
      headers: { Connection: 'close' },
    });
    return response.ok ? await response.text() : null;
  } catch {
    return null;
  }
}

async function getFrom(
  server: string,
  host: string,
  port: number,
  within = BRIEFLY,
): Promise<string | null> {
  const argv = [
    'curl',
    '--silent',
    '--max-time',
    String(within / 1_000),
    `http://${host}:${port}/`,
  ];
  return on(server, argv).catch(() => null);
}

/** Waits for a condition; an error counts as "not yet". */
async function until(condition: () => Promise<boolean>, withinMs = 60_000): Promise<void> {
  for (const deadline = Date.now() + withinMs; Date.now() < deadline; await sleep(200)) {
    if (await condition().catch(() => false)) return;
  }
  throw new Error(`this did not come true within ${withinMs / 1000} s: ${condition}`);
}
