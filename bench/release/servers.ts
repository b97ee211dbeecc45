import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Moment } from '../../lib/release/progress.ts';
import { startBalancer } from '../../lib/release/test/fixture/balancer.ts';
import {
  startEnvironment,
  type TestEnvironment,
} from '../../lib/release/test/fixture/environment.ts';
import { checkout } from '../../local-cloud/claim.ts';
import type { Order } from './driver.ts';

/** Servers in namespaces behind a load balancer, with services that start in milliseconds. */
export interface Servers extends TestEnvironment {
  /** Address of the load balancer. */
  public: string;
  count: number;
}

export interface Ran {
  /** What it ended with; undefined when it was killed. */
  status: string | undefined;
  problem: string | undefined;
  /** Its event log, in order. */
  moments: (Moment & { name: string })[];
  /** Milliseconds. */
  took: number;
}

export async function startServers(count: number): Promise<Servers> {
  const environment = await startEnvironment(count);
  const address = environment.test.bastion.replace(/\d+$/, '3');
  const balancer = await startBalancer(address, environment.test.hosts);
  return {
    ...environment,
    count,
    public: balancer.base,
    async close() {
      await balancer.close();
      await environment.close();
    },
  };
}

interface Wish {
  /** A rollback when left out. */
  version?: string;
  /** Services that change; all when left out. */
  only?: string[];
  killAt?: string;
  batch?: number;
  /** Told each moment as it happens. */
  seen?: (name: string) => void;
}

/** Runs a deploy or a rollback in a process of its own. */
export async function carryOut(servers: Servers, wish: Wish): Promise<Ran> {
  const { test } = servers;
  const order: Order = {
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
    composeFile: join(checkout, 'infra/docker/compose/staging/docker-compose.yml.j2'),
    baseUrl: servers.public,
    batch: wish.batch ?? servers.count,
    ...(wish.killAt !== undefined && { killAt: wish.killAt }),
  };
  if (wish.version !== undefined) {
    const { compose: _compose, ...wanted } = await servers.wanted(wish.version, {}, wish.only);
    order.wanted = wanted;
  }
  const begun = Date.now();
  const child = spawn(process.execPath, [join(import.meta.dirname, 'driver.ts')], {
    cwd: checkout,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(JSON.stringify(order));
  const ran: Ran = { status: undefined, problem: undefined, moments: [], took: 0 };
  for await (const line of createInterface({ input: child.stdout })) {
    const said = JSON.parse(line);
    if (said.kind === undefined) Object.assign(ran, said);
    else {
      ran.moments.push(said);
      wish.seen?.(said.name);
    }
  }
  ran.took = Date.now() - begun;
  return ran;
}
