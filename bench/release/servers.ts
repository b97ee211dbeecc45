import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import {
  eventually,
  releaseFirst,
  serialsOf,
  startSite,
} from '../../infra/docker/test/fixture/site.ts';
import type { Moment } from '../../lib/release/progress.ts';
import { startBalancer } from '../../lib/release/test/fixture/balancer.ts';
import {
  startEnvironment,
  type TestEnvironment,
} from '../../lib/release/test/fixture/environment.ts';
import type { Hardware } from '../../lib/release/test/fixture/hosts.ts';
import { type Ledger, startLedger } from '../../lib/release/test/fixture/ledger.ts';
import { checkout } from '../../local-cloud/claim.ts';
import { undone } from '../interruption.ts';
import type { Site } from './doors.ts';
import type { Order } from './driver.ts';

/** Servers in namespaces behind a load balancer, with services that start in milliseconds. */
export interface Servers extends TestEnvironment {
  count: number;
  /** Where a release asks for the new version at its end. */
  gate?: string;
  /** What makes the gate's name known where a release runs, and its certificate trusted: paths of files. */
  known?: { hosts: string; authority: string };
}

/** Staging's files on such servers. */
export interface Staging extends Servers {
  /** Address of the load balancer. */
  public: string;
}

/** Production's files on such servers, where clients need its name and its certificates. */
export interface Production extends Servers {
  site: Site;
  ledger: Ledger;
}

/** Milliseconds that a release may take in any bench: the first one of sixteen servers is the longest. */
const LONGEST = 900_000;

/** Longer than any bench: certificates are renewed in a test of their own. */
const day = 86_400;

export interface Ran {
  /** What it ended with; undefined when it was killed. */
  status: string | undefined;
  problem: string | undefined;
  /** Its event log, in order. */
  moments: (Moment & { name: string })[];
  /** Milliseconds. */
  took: number;
}

export async function startServers(count: number, hardware: Hardware = {}): Promise<Staging> {
  const edit = async ({ gateway }: TestEnvironment['test']) => ({
    variables: { DATABASE_HOST: gateway },
  });
  const environment = await startEnvironment(count, edit, hardware);
  const address = environment.test.bastion.replace(/\d+$/, '3');
  const balancer = await startBalancer(address, environment.test.hosts).catch(async (error) => {
    await environment.close();
    throw error;
  });
  const close = undone(async () => {
    await balancer.close();
    await environment.close();
  });
  return { ...environment, count, public: balancer.base, gate: balancer.base, close };
}

/** With the release 1.0.0. */
export async function startProduction(count: number): Promise<Production> {
  const site = await startSite(count, {
    lifetime: day,
    // As Hetzner's load balancer.
    checks: 3_000,
    variables: (gateway) => ({ DATABASE_HOST: gateway }),
  });
  const { environment, visitor, name, at } = site;
  let ledger: Ledger | undefined;
  const folder = mkdtempSync(join(tmpdir(), 'compta-known-'));
  const close = undone(async () => {
    await ledger?.close();
    await site.close();
    rmSync(folder, { recursive: true });
  });
  try {
    ledger = await startLedger(environment.test.gateway);
    const ca = visitor.trusted;
    const base = `https://${name}`;
    const known = { hosts: join(folder, 'hosts'), authority: join(folder, 'authority.pem') };
    writeFileSync(known.hosts, `127.0.0.1 localhost\n${at.balancer} ${name}\n`);
    writeFileSync(known.authority, ca);
    const reached = { base, address: at.balancer, ca };
    const production = { ...environment, count, site: reached, ledger, gate: base, known, close };
    await releaseFirst(site, async () => {
      // The name has no certificate yet.
      const { gate: _gate, ...ungated } = production;
      const { status, problem } = await carryOut(ungated, { version: '1.0.0' });
      assert.equal(status, 'deployed', problem);
    });
    await eventually('every server has a certificate and takes part', 100, async () => {
      await serialsOf(site);
      const trusted = await Promise.all(at.servers.map((each) => site.balancer.trusts(443, each)));
      return trusted.every(Boolean) || undefined;
    });
    return production;
  } catch (error) {
    await close();
    throw error;
  }
}

export interface Wish {
  /** A rollback when left out. */
  version?: string;
  /** Services that change; all when left out. */
  only?: string[];
  /** What goes wrong in which service. */
  faults?: Record<string, string>;
  killAt?: string;
  batch?: number;
  /** Path of a Compose template in the place of the environment's. */
  compose?: string;
  /** Told each moment as it happens. */
  seen?: (moment: Ran['moments'][number]) => void;
}

/** Runs a command where another file is `/etc/hosts`. */
const withHosts = ['unshare', '--mount', 'sh', '-c', 'mount --bind "$0" /etc/hosts && exec "$@"'];

/** Runs a deploy or a rollback in a process of its own. */
export async function carryOut(servers: Servers, wish: Wish): Promise<Ran> {
  const { test, gate, known } = servers;
  const order: Order = {
    environment: servers.environment,
    destination: {
      hosts: test.hosts.map(({ name, ssh }) => ({ name, address: ssh })),
      unreachable: 'fail',
      ssh: {
        user: 'deploy',
        port: test.port,
        privateKey: test.privateKey,
        knownHosts: test.knownHosts,
        jumpHost: test.bastion,
      },
    },
    ...(gate !== undefined && { baseUrl: gate }),
    batch: wish.batch ?? servers.count,
    ...(wish.killAt !== undefined && { killAt: wish.killAt }),
    ...(wish.compose !== undefined && { compose: wish.compose }),
  };
  if (wish.version !== undefined) {
    const { compose: _compose, ...wanted } = await servers.wanted(
      wish.version,
      wish.faults,
      wish.only,
    );
    order.wanted = wanted;
  }
  const begun = Date.now();
  const argv = [process.execPath, join(import.meta.dirname, 'driver.ts')];
  if (known !== undefined) argv.unshift(...withHosts, known.hosts);
  const child = spawn(argv[0] as string, argv.slice(1), {
    cwd: checkout,
    env: { ...process.env, ...(known && { NODE_EXTRA_CA_CERTS: known.authority }) },
    stdio: ['pipe', 'pipe', 'inherit'],
    // One that hangs is a failure, not a bench without end.
    timeout: LONGEST,
    killSignal: 'SIGKILL',
  });
  child.stdin.end(JSON.stringify(order));
  const ran: Ran = { status: undefined, problem: undefined, moments: [], took: 0 };
  for await (const line of createInterface({ input: child.stdout })) {
    const said = JSON.parse(line);
    if (said.kind === undefined) Object.assign(ran, said);
    else {
      ran.moments.push(said);
      wish.seen?.(said);
    }
  }
  ran.took = Date.now() - begun;
  return ran;
}
