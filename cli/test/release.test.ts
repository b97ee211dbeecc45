import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { run } from '../../lib/process/run.ts';
import { Lease } from '../../lib/release/lease.ts';
import { detection, startBalancer } from '../../lib/release/test/fixture/balancer.ts';
import {
  paths,
  startEnvironment,
  type TestEnvironment,
} from '../../lib/release/test/fixture/environment.ts';
import { type LoadResult, startAsking, startLoad } from '../../lib/release/test/fixture/load.ts';
import { composeWithout } from '../../lib/release/test/fixture/template.ts';
import { setAccepting } from '../../lib/release/test/fixture/traffic.ts';

const repository = new URL('../../', import.meta.url).pathname;
const bundle = join(repository, 'cli/dist/main/index.js');
const folder = mkdtempSync(join(tmpdir(), 'compta-cli-'));

let environment: TestEnvironment;
let balancer: Awaited<ReturnType<typeof startBalancer>>;
let loads: ReturnType<typeof startLoad>[] = [];
beforeAll(async () => {
  environment = await startEnvironment(2);
  const { hosts, bastion } = environment.test;
  balancer = await startBalancer(bastion.replace(/\d+$/, '3'), hosts);
  writeFileSync(join(folder, 'outputs.json'), JSON.stringify(terraformOutputs()));
  writeFileSync(join(folder, 'key'), environment.test.privateKey, { mode: 0o600 });
}, 120_000);
afterAll(async () => {
  await balancer?.close();
  await environment?.close();
  rmSync(folder, { recursive: true });
}, 180_000);
afterEach(async () => {
  const results = await Promise.all(loads.splice(0).map((load) => load.stop()));
  expect(results.flatMap(({ failed }) => failed)).toEqual([]);
});

/** What Terraform would put out for the test hosts. */
function terraformOutputs(): Record<string, unknown> {
  const { hosts, bastion, bastionKey, port } = environment.test;
  const server = (role: string, address: string, key: string) => ({
    role,
    private_ip: address,
    public_ip: role === 'bastion' ? address : null,
    host_key: key,
    volume_device: null,
  });
  return {
    environment: { value: 'staging' },
    servers: {
      value: {
        bastion: server('bastion', bastion, bastionKey),
        ...Object.fromEntries(
          hosts.map(({ name, ssh, hostKey }) => [name, server('application', ssh, hostKey)]),
        ),
      },
    },
    bastion: { value: 'bastion' },
    load_balancer: { value: { public_ip: bastion, private_ip: bastion } },
    network_cidr: { value: '127.0.0.0/8' },
    ssh: { value: { user: 'deploy', port } },
  };
}

interface Ended {
  code: number;
  // biome-ignore lint/suspicious/noExplicitAny: what the command printed
  data: any;
  stderr: string;
}

function compta(...words: string[]): Promise<Ended> {
  const where = ['--terraform-outputs', join(folder, 'outputs.json')];
  return ended([process.execPath, bundle, ...words, ...where, ...key(), '--json']);
}

/** One of `infra/scripts`, as a person starts it. */
function script(name: string, ...words: string[]): Promise<Ended> {
  const path = join(repository, 'infra/scripts', name);
  return ended([path, join(folder, 'outputs.json'), ...key(), ...words, '--json']);
}

const key = () => ['--private-key', join(folder, 'key')];

async function ended(argv: string[]): Promise<Ended> {
  const allowedExitCodes = [0, 1];
  const ended = await run(argv, { cwd: repository, allowedExitCodes });
  const data = ended.stdout === '' ? undefined : JSON.parse(ended.stdout);
  return { code: ended.exitCode, data, stderr: ended.stderr };
}

/** Files and options of a deploy of this version. */
async function release(
  version: string,
  only?: string[],
  faults: Record<string, string> = {},
): Promise<string[]> {
  const { images, variables } = await environment.wanted(version, faults, only);
  const file = (name: string, content: unknown): string => {
    const path = join(folder, `${name}-${version}.json`);
    writeFileSync(path, JSON.stringify(content));
    return path;
  };
  return [
    ...['--version', version, '--base-url', environment.base, '--batch', '2', '--edge-drain', '1s'],
    ...['--images', file('images', images), '--variables', file('variables', variables)],
  ];
}

/** From here to the end of the test, clients talk to both servers. */
const underLoad = (): void => {
  loads = environment.test.hosts.map(({ address }) =>
    startLoad(`http://${address}`, paths, { connections: 8 }),
  );
};

/** Of everything that runs on this machine. */
function commandLines(): string[] {
  return readdirSync('/proc').flatMap((entry) => {
    try {
      return /^\d+$/.test(entry) ? [readFileSync(`/proc/${entry}/cmdline`, 'utf8')] : [];
    } catch {
      return []; // It has ended.
    }
  });
}

async function versionAt(path: string, host = 0): Promise<string> {
  const response = await fetch(`http://${environment.test.hosts[host]?.address}${path}`);
  return ((await response.json()) as { version: string }).version;
}

describe('a deploy in parts', () => {
  test('changes nothing in a dry run and says what it would', async () => {
    const options = await release('1.0.0');
    for (const [part, changed] of Object.entries({ pull: true, configs: true, swap: true })) {
      const { code, data } = await compta(part, ...options, '--dry-run');
      expect({ code, changed: data.changed }).toEqual({ code: 0, changed });
    }
    expect(await environment.test.hosts[0]?.docker('ps', '-aq')).toBe('');
    expect(await environment.hosts[0]?.content('/opt/compta/lease.json')).toBeUndefined();
  }, 180_000);

  test('is the same as a deploy, and each part changes nothing a second time', async () => {
    const options = await release('1.0.0');
    for (const part of ['preflight', 'pull', 'backup', 'configs', 'swap', 'verify', 'record']) {
      const { code, data, stderr } = await compta(part, ...options);
      expect({ part, code, stderr: code === 0 ? '' : stderr }).toEqual({
        part,
        code: 0,
        stderr: '',
      });
      expect(data.release).toMatch(/^1\.0\.0-/);
    }
    for (const part of ['pull', 'backup', 'configs', 'swap', 'record']) {
      const { data } = await compta(part, ...options);
      expect({ part, changed: data.changed }).toEqual({ part, changed: false });
    }
    const { data } = await compta('history');
    expect(data[1].entries).toHaveLength(1);
    expect(data[1].entries[0]).toMatchObject({ action: 'deploy', version: '1.0.0' });
  }, 300_000);

  test('stops when its files are not there', async () => {
    const { code, stderr } = await compta('swap', ...(await release('1.0.1', ['auth-service'])));
    expect(code).toBe(1);
    expect(stderr).toContain('lacks the files of 1.0.1-');
  }, 180_000);
});

describe('the playbooks', () => {
  const password = 'swordfish-77';
  const temp = join(folder, 'temp');

  /** Every command line there is, until it is told to stop. */
  const watchCommandLines = (): (() => string[]) => {
    const seen = new Set<string>();
    const watching = setInterval(() => {
      for (const line of commandLines()) seen.add(line);
    }, 500);
    return () => {
      clearInterval(watching);
      return [...seen];
    };
  };

  const playbook = async (name: string, extra: Record<string, unknown>, ...words: string[]) => {
    const variables = {
      // The registry asks for no login; whoever gives one must not find it anywhere.
      compta_registry: 'registry.test',
      compta_registry_username: 'ci',
      compta_registry_password: password,
      release_terraform_outputs: join(folder, 'outputs.json'),
      release_private_key: join(folder, 'key'),
      release_base_url: environment.base,
      release_options: ['--batch', '2'],
      ...extra,
    };
    mkdirSync(temp, { recursive: true });
    const file = join(folder, 'variables.json');
    writeFileSync(file, JSON.stringify(variables));
    const argv = ['ansible-playbook', '-vvv', '-i', 'localhost,', '-e', `@${file}`, ...words];
    const watched = watchCommandLines();
    const { stdout } = await run([...argv, `playbooks/${name}.yml`], {
      cwd: join(repository, 'infra/ansible'),
      env: { ...process.env, TMPDIR: temp },
      allowedExitCodes: [0, 2],
    });
    const shown = watched();
    expect(shown.filter((line) => line.includes('--password-file'))).not.toEqual([]);
    expect(shown.filter((line) => line.includes(password))).toEqual([]);
    expect(stdout).not.toContain(password);
    expect(readdirSync(temp)).toEqual([]);
    const recap = /ok=(\d+) +changed=(\d+) .*failed=(\d+)/.exec(stdout);
    return { stdout, changed: Number(recap?.[2]), failed: Number(recap?.[3]) };
  };

  test('release and roll back, and in check mode only say so', async () => {
    const [, version, , , , , , , , images, , variables] = await release('1.1.0', ['auth-service']);
    const asked = {
      release_version: version,
      release_images: images,
      release_variables: variables,
    };
    const dry = await playbook('deploy', asked, '--check');
    expect(dry).toMatchObject({ changed: 4, failed: 0 });
    expect(await versionAt('/api/auth/version')).toBe('1.0.0');
    underLoad();
    // These servers have no database: what cannot be migrated is not released.
    const release_migrations = [{ service: 'auth-service', database: 'compta_auth' }];
    const stopped = await playbook('deploy', { ...asked, release_migrations });
    expect(stopped.failed).toBe(1);
    const tasks = stopped.stdout.split('TASK [').slice(1);
    const [last = '', logout = ''] = tasks.slice(-2);
    expect(last).toMatch(/^Migrate the databases\]/);
    expect(last).toContain('The Terraform outputs name no server of role database.');
    expect(logout).toMatch(/^Remove the registry's password\]/);
    expect(await versionAt('/api/auth/version')).toBe('1.0.0');
    // The run that was stopped has fetched the images.
    const real = await playbook('deploy', asked);
    expect(real).toMatchObject({ changed: 3, failed: 0 });
    expect(await versionAt('/api/auth/version', 1)).toBe('1.1.0');

    const undo = { release_reason: 'wrong totals', release_confirm: 'staging' };
    expect(await playbook('rollback', undo, '--check')).toMatchObject({ changed: 1, failed: 0 });
    expect(await versionAt('/api/auth/version')).toBe('1.1.0');
    expect(await playbook('rollback', undo)).toMatchObject({ changed: 1, failed: 0 });
    expect(await versionAt('/api/auth/version')).toBe('1.0.0');
  }, 480_000);
});

describe('a server that was off during a release', () => {
  test('stays out of rotation until it is brought to the current one', async () => {
    const [, second] = environment.test.hosts;
    const before = await versionAt('/api/auth/version', 1);
    const losing = startLoad(balancer.base, paths, { connections: 8 });
    let off = 0;
    try {
      await pause(1_000);
      off = Date.now();
      await second?.powerOff();
      await pause(detection + 1_500);
      const options = await release('1.2.0', ['auth-service']);
      const refused = await compta('deploy', ...options);
      expect(refused.stderr).toContain('Cannot reach app-2');
      const known = await compta('status');
      expect(known.data).toMatchObject([{ host: 'app-1', unfinished: '' }]);
      expect(known).toMatchObject({ code: 1, stderr: 'Nobody answers at app-2.\n' });
      const left = await compta('deploy', ...options, '--unreachable', 'skip');
      expect(left.stderr).toContain('Nobody answers at app-2: left behind');
      expect(left.data.status).toBe('deployed');
      const audited = await environment.hosts[0]?.content('/opt/compta/audit.log');
      const said = (audited ?? '')
        .trim()
        .split('\n')
        .slice(-2)
        .map((line) => JSON.parse(line));
      const { username: by } = userInfo();
      const { release: id } = left.data;
      expect(said).toMatchObject([
        { what: `begin deploy ${id}`, by },
        { what: `deploy ${id}`, by },
      ]);

      await second?.powerOn();
      await versionEventually('/api/auth/version', 1, before);
      expect((await fetch(`http://${second?.address}/healthz`)).status).toBe(503);
      // Nobody could turn the page off there.
      const page = '/opt/compta/caddy/state/maintenance.html';
      await environment.hosts[1]?.read(['sh', '-c', 'echo page >"$1"', 'sh', page]);
      const away = { outOfRotation: true, maintenance: true };
      expect((await compta('status')).data[1]).toMatchObject(away);
      // A release that fails in between brings the others back, and this one to nothing old; it is
      // of another service than the one that was missed.
      const faults = { 'reporting-service': 'exits' };
      const only = ['reporting-service'];
      const failing = await compta('deploy', ...(await release('1.2.1', only, faults)));
      expect(failing.data?.status).toBe('rolled-back');
      expect(await versionAt('/api/auth/version')).toBe('1.2.0');
      const [first, learnt] = (await compta('history')).data;
      expect(learnt.entries).toEqual(first.entries.slice(0, -1));
      // What it did not get to the end of is nothing to go back from.
      const undo = ['--reason', 'late', '--confirm', 'staging', '--dry-run'];
      expect((await compta('rollback', ...undo)).data.version).toBe('1.0.0');
      await refuseTraffic('accounting-service', 1);
      expect((await fetch(`http://${second?.address}/healthz`)).status).toBe(503);
      const converged = await compta('converge', '--edge-drain', '1s');
      expect(converged.data.status).toBe('deployed');
      expect(await versionAt('/api/auth/version', 1)).toBe('1.2.0');
      expect(await versionAt('/api/accounting/version', 1)).toBe('1.0.0');
      expect((await fetch(`http://${second?.address}/healthz`)).status).toBe(200);
      expect((await compta('converge')).data.status).toBe('unchanged');
    } finally {
      await losing.stop();
    }
    const { failed, sent } = await losing.stop();
    expect(sent).toBeGreaterThan(500);
    expect(after(failed, off + detection)).toEqual([]);
  }, 400_000);
});

describe('a service that is gone from the Compose file', () => {
  test('ends, and a rollback brings it back; the load balancer always has a server', async () => {
    const slots = async () =>
      (await compta('status')).data.map((host: { slots: { service: string }[] }) =>
        host.slots.map(({ service }) => service),
      );
    // What runs already, for the most part: it is the service and Caddy that this is about.
    const options = await release('1.0.0', ['auth-service', 'accounting-service', 'api-gateway']);
    const without = [
      '--compose-file',
      composeWithout('reporting-service', folder),
      '--edge-drain',
      '3s',
    ];
    const asking = startAsking(`${balancer.base}/api/version`);
    // Both servers at a time, and Caddy changes: it has the names of the services.
    const gone = await compta('deploy', ...options, ...without);
    const { failed: unanswered } = await asking.stop();
    expect({ status: gone.data?.status, stderr: gone.data ? '' : gone.stderr }).toEqual({
      status: 'deployed',
      stderr: '',
    });
    expect((await slots()).flat()).not.toContain('reporting-service');
    expect(unanswered).toEqual([]);
    const undo = ['--reason', 'still needed', '--confirm', 'staging', '--batch', '2'];
    const back = await script('deploy/rollback.sh', ...undo, '--edge-drain', '1s');
    expect(back.data?.status).toBe('deployed');
    for (const names of await slots()) expect(names).toContain('reporting-service');
    expect(await versionAt('/api/reporting/version', 1)).toBe('1.0.0');
  }, 240_000);
});

describe('what is in the way of a release', () => {
  test('an engine that restarts loses no request, on a kept connection or a new one', async () => {
    underLoad();
    let over = false;
    const answers: unknown[] = [];
    const asking = Array.from({ length: 4 }, async () => {
      while (!over) {
        const options = { headers: { connection: 'close' } };
        const asked = fetch(`${balancer.base}/api/auth/version`, options);
        answers.push(await asked.then(({ status }) => status, String));
        await pause(20);
      }
    });
    await environment.test.hosts[0]?.restartEngine();
    // Its names and its chains come after its socket.
    await pause(3_000);
    over = true;
    await Promise.all(asking);
    expect(new Set(answers)).toEqual(new Set([200]));
  }, 60_000);

  test('a connection that is cut in the middle does not lose a request, nor the release', async () => {
    underLoad();
    const options = await release('1.3.0', ['auth-service']);
    const cut = whenBegun('auth-service', () => environment.test.drop());
    const { data } = await compta('deploy', ...options);
    await cut;
    expect(['deployed', 'rolled-back']).toContain(data.status);
    const next = await script('deploy/deploy-staging.sh', ...options);
    expect(next.code).toBe(0);
    expect(await versionAt('/api/auth/version', 1)).toBe('1.3.0');
    const well = [join(folder, 'outputs.json'), ...key(), '--base-url', environment.base];
    const check = join(repository, 'infra/scripts/monitoring/health-check.sh');
    expect((await run([check, ...well])).stdout).toContain('Everything is well.');
  }, 240_000);

  test('a container that somebody removed is missed, and brought back', async () => {
    const [server, host] = [environment.test.hosts[0], environment.hosts[0]];
    const slots = (await host?.state())?.slots ?? [];
    const removed = slots.find(({ service }) => service === 'reporting-service');
    await server?.docker('rm', '-f', String(removed?.id));
    const check = join(repository, 'infra/scripts/monitoring/health-check.sh');
    const argv = [check, join(folder, 'outputs.json'), ...key()];
    const missed = await run(argv, { allowedExitCodes: [1] });
    expect(missed.stderr).toBe('app-1: reporting-service does not run\n');
    expect((await compta('converge')).data.status).toBe('deployed');
    expect((await run(argv)).stdout).toContain('Everything is well.');
  }, 120_000);

  test('a server that was replaced by an empty one is brought to where the others are', async () => {
    const [first, second] = environment.test.hosts;
    loads = [startLoad(`http://${first?.address}`, paths, { connections: 8 })];
    const empty = `docker rm -f $(docker ps -aq)
docker image prune -af
rm -rf /opt/compta/* /opt/compta/.lock`;
    await environment.hosts[1]?.once(['sh', '-c', `{ ${empty}; } >/dev/null`]);
    const [known, nothing] = (await compta('status')).data;
    expect(nothing).toMatchObject({ release: '', slots: [], held: false });
    expect((await compta('converge', '--edge-drain', '1s')).data.status).toBe('deployed');
    const [, learnt] = (await compta('status')).data;
    const versions = ({ slots }: typeof known) =>
      slots
        .map(({ service, version }: Record<string, string>) => `${service} ${version}`)
        .toSorted();
    expect({ ...learnt, slots: versions(learnt) }).toMatchObject({
      release: known.release,
      missing: [],
      slots: versions(known),
    });
    expect(await versionAt('/api/auth/version', 1)).toBe(await versionAt('/api/auth/version'));
    const [ours, theirs] = (await compta('history')).data;
    expect(theirs.entries.slice(0, -1)).toEqual(ours.entries);
    expect(theirs.entries.at(-1)).toMatchObject({ action: 'converge', release: known.release });
    expect((await fetch(`http://${second?.address}/healthz`)).status).toBe(200);
  }, 180_000);

  test('a lease of a dead run is freed by force, and the audit log says by whom and why', async () => {
    const holder = { owner: 'dead', run: '', waitMs: 0, say: () => {} };
    const dead = await Lease.take(environment.hosts, holder);
    const { data } = await compta('unlock', '--reason', 'its runner burnt down');
    await dead.free();
    expect(data).toHaveLength(2);
    const log = await environment.hosts[1]?.content('/opt/compta/audit.log');
    expect(JSON.parse(log?.trim().split('\n').at(-1) ?? '{}')).toMatchObject({
      what: 'unlock',
      reason: 'its runner burnt down',
    });
  }, 180_000);
});

describe('the lease around a command', () => {
  const options = () => ({
    cwd: join(repository, 'infra/ansible'),
    env: {
      ...process.env,
      COMPTA_TERRAFORM_OUTPUTS: join(folder, 'outputs.json'),
      COMPTA_SSH_KEY: environment.test.privateKey,
    },
    allowedExitCodes: [0, 1, 2, 7],
  });
  const lock = [process.execPath, bundle, 'lock', '--reason', 'new disks', '--'];
  const leases = async () =>
    (await compta('status')).data.map(({ lease }: { lease: { expires: number } }) => lease.expires);

  test('is joined from inside, keeps others out, is audited and given back', async () => {
    const script = `node "$0" lock --reason inner -- echo inside
env -u COMPTA_LEASE node "$0" lock --reason other --lock-timeout 1s -- echo never
exit 7`;
    const ended = await run([...lock, 'sh', '-c', script, bundle], options());
    expect(ended).toMatchObject({ exitCode: 7, stdout: 'inside\n' });
    expect(ended.stderr).toMatch(/is held by .*: new disks, and did not come free within 1 s/);
    expect(await leases()).toEqual([0, 0]);
    const log = (await environment.hosts[1]?.content('/opt/compta/audit.log')) ?? '';
    const lines = log.trim().split('\n').slice(-2);
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { what: 'lock', reason: 'new disks' },
      { what: 'lock', reason: 'inner' },
    ]);
  }, 180_000);

  test('ends with the command that is stopped', async () => {
    const stop = new AbortController();
    const holding = run([...lock, 'sh', '-c', 'echo begun; sleep 60'], {
      ...options(),
      allowedExitCodes: [0],
      signal: stop.signal,
      onLine: (line) => line === 'begun' && stop.abort(),
    });
    // Who of the two hears of it first, the command or who holds the lease for it, is luck.
    await expect(holding).rejects.toThrow(/was cancelled.*✓ give the lease back/s);
    expect(await leases()).toEqual([0, 0]);
  }, 180_000);

  test('is what a playbook that would disturb a release insists on', async () => {
    const inventory = join(folder, 'inventory');
    writeFileSync(inventory, '[application]\napp-1\napp-2\n');
    const restore = ['ansible-playbook', '-i', inventory, 'playbooks/restore.yml'];
    const refused = await run(restore, options());
    expect(refused).toMatchObject({ exitCode: 2, stdout: expect.stringMatching(/compta\s+lock/) });
    const granted = await run([...lock, ...restore], options());
    expect(granted).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/failed=0/) });
  }, 180_000);
});

test('the maintenance page is shown to users, not to the load balancer', async () => {
  const on = await compta('maintenance', 'on', '--message', 'Retour à <midi>', '--reason', 'disks');
  expect(on.data).toEqual({ on: true, changed: true });
  expect((await compta('maintenance', 'on', '--message', 'Retour à <midi>')).data.changed).toBe(
    false,
  );
  const page = await fetch(`${environment.base}/api/accounting/entries`);
  expect(page.status).toBe(503);
  expect(page.headers.get('retry-after')).toBe('300');
  expect(await page.text()).toContain('Retour à &lt;midi&gt;');
  const { address } = environment.test.hosts[0] ?? {};
  expect((await fetch(`http://${address}/healthz`)).status).toBe(200);
  // Of a release nothing can be proven from outside meanwhile.
  expect((await compta('converge')).data).toMatchObject({ maintenance: true });
  expect((await compta('maintenance', 'off')).data).toEqual({ on: false, changed: true });
  expect((await fetch(`${environment.base}/api/version`)).status).toBe(200);
}, 180_000);

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Does something once the first server has begun with a service. */
async function whenBegun(service: string, act: () => unknown): Promise<void> {
  const [host] = environment.hosts;
  for (let attempt = 0; attempt < 600; attempt++) {
    const journal = (await host?.content('/opt/compta/journal.json').catch(() => '')) ?? '';
    if (journal.includes(service)) return void (await act());
    await pause(100);
  }
  throw new Error(`no release came to ${service}`);
}

/** A service takes no traffic any more, though it is healthy, as a run that was killed may leave it. */
async function refuseTraffic(service: string, host: number): Promise<void> {
  const at = environment.hosts[host];
  const slot = (await at?.state())?.slots.find((each) => each.service === service);
  if (!at || !slot) throw new Error(`${service} does not run`);
  await setAccepting(at, slot, false);
}

async function versionEventually(path: string, host: number, version: string): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    if ((await versionAt(path, host).catch(() => '')) === version) return;
    await pause(200);
  }
  throw new Error(`app-${host + 1} does not serve ${version}`);
}

/** Failures of requests sent later than a moment; each begins with when it was sent. */
function after(failed: LoadResult['failed'], moment: number): string[] {
  return failed.filter((line) => Date.parse(line.split(' ')[0] ?? '') > moment);
}
