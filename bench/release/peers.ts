import { setTimeout as sleep } from 'node:timers/promises';
import { services } from '../../lib/release/test/fixture/environment.ts';
import { type Ledger, startLedger } from '../../lib/release/test/fixture/ledger.ts';
import type { Figures } from '../measurement.ts';
import { type Servers, startServers } from './servers.ts';
import { entriesIn, PLACES, SETTLING, startClient, type Traffic } from './traffic.ts';

/** How others replace the containers of all services, on one server. */
interface Peer {
  /** What Caddy does with a service's requests. */
  upstream: (service: string) => string;
  /** Replaces what runs by what `compose` has. */
  release: (compose: Docker, docker: Docker) => Promise<void>;
}
type Docker = (...words: string[]) => Promise<string>;

const retry = 'lb_try_duration 15s\n    lb_try_interval 100ms';

const PEERS: Record<string, Peer> = {
  'docker compose up -d': {
    upstream: (service) => `reverse_proxy ${service}-app:8080 {\n    ${retry}\n  }`,
    release: async (compose) => void (await compose('up', '-d', '--wait')),
  },
  // Two at once, then the old one is stopped and removed, by docker-rollout 0.12, which looks once a second.
  'docker rollout': {
    upstream: (service) =>
      `reverse_proxy {\n    dynamic a ${service}-app 8080 {\n      refresh 1s\n    }\n    ${retry}\n  }`,
    async release(compose, docker) {
      for (const app of services.map((service) => `${service}-app`)) {
        const old = (await compose('ps', '-q', app)).trim();
        await compose('up', '-d', '--no-deps', '--no-recreate', '--scale', `${app}=2`, app);
        const both = (await compose('ps', '-q', app)).trim().split('\n');
        await healthy(docker, both.find((id) => id !== old) ?? '', 1_000);
        await docker('stop', old);
        await docker('rm', old);
      }
    },
  },
  // Two fixed slots with health checks, but the old one learns of its end by SIGTERM.
  'SIGTERM first': {
    upstream: (service) => `reverse_proxy ${service}-app:8080 ${service}-other:8080 {
    health_uri /actuator/health/readiness
    health_port 8081
    health_interval 500ms
    ${retry}
  }`,
    async release(compose, docker) {
      const running = await compose('ps', '--services', '--filter', 'status=running');
      for (const service of services) {
        const slots = [`${service}-app`, `${service}-other`] as const;
        const [from, to] = running.split('\n').includes(slots[0]) ? slots : slots.toReversed();
        await compose('up', '-d', '--no-deps', String(to));
        await healthy(docker, (await compose('ps', '-q', String(to))).trim());
        await sleep(2_000);
        await compose('stop', String(from));
        await compose('rm', '-f', String(from));
      }
    },
  },
};

/** HTTP/2 without TLS, so that the same kinds of clients get in. Services are called by name, as ours. */
const caddyfile = (upstream: Peer['upstream']): string => `{
  admin off
  auto_https off
  servers {
    protocols h1 h2c
  }
}
:80 {
  ${upstream('api-gateway')}
}
${services.map((service) => `http://${service} {\n  ${upstream(service)}\n}\n`).join('')}`;

/** What one peer did. */
export type PeerFigures = Figures & {
  releases: number;
  secondsOfARelease: number;
  requests: number;
  failed: number;
  /** Entries. */
  lost: number;
  doubled: number;
};

/** So many releases of all services; `faults` as {@link Servers.wanted}. */
interface Work {
  releases: number;
  faults?: Record<string, string>;
}

/** What each peer makes of it on one server, under the load that ours has. */
export async function comparePeers(
  work: Work,
  print: (line: string) => void,
): Promise<Record<string, PeerFigures>> {
  const servers = await startServers(1);
  const ledger = await startLedger(servers.test.gateway);
  try {
    return await compareOn(servers, ledger, work, print);
  } finally {
    await ledger.close();
    await servers.close();
  }
}

async function compareOn(
  servers: Servers,
  ledger: Ledger,
  { releases, faults = {} }: Work,
  print: (line: string) => void,
): Promise<Record<string, PeerFigures>> {
  const [host] = servers.test.hosts;
  const [leased] = servers.hosts;
  if (host === undefined || leased === undefined) throw new Error('There is no server.');
  const figures: Record<string, PeerFigures> = {};
  for (const [name, peer] of Object.entries(PEERS)) {
    const folder = '/opt/compta/peer';
    const write = (file: string, text: string) =>
      leased.read(
        ['sh', '-c', 'mkdir -p "$(dirname "$1")"; cat >"$1"', 'write', `${folder}/${file}`],
        {
          input: text,
        },
      );
    const files = ['-p', 'peer', '-f', `${folder}/compose.yml`];
    const compose: Docker = (...words) =>
      host.docker('compose', '--progress', 'quiet', ...files, ...words);
    const turnTo = async (version: string): Promise<void> => {
      const wanted = await servers.wanted(version, faults);
      await write('compose.yml', composeFile(wanted, servers.test.gateway));
    };
    await write('caddy/Caddyfile', caddyfile(peer.upstream));
    await turnTo('1.0.0');
    await compose('up', '-d', '--wait');
    await sleep(3_000);
    const client = startClient({ base: `http://${host.address}` }, PLACES);
    let took = 0;
    let traffic: Traffic;
    try {
      await sleep(SETTLING);
      for (let release = 1; release <= releases; release++) {
        await turnTo(`1.0.${release}`);
        const begun = Date.now();
        await peer.release(compose, host.docker);
        took += Date.now() - begun;
        await sleep(3_000);
      }
    } finally {
      traffic = await client.stop();
    }
    const { sent, failed } = traffic;
    await compose('--profile', 'slots', 'down', '--timeout', '1');
    const { lost, doubled } = entriesIn(traffic, ledger);
    const secondsOfARelease = took / 1000 / releases;
    print(`  ${name}: ${failed.length} of ${sent} requests failed in ${releases} releases`);
    print(`    ${lost} entries lost, ${doubled} doubled; ${secondsOfARelease} s a release`);
    figures[name] = {
      releases,
      secondsOfARelease,
      requests: sent,
      failed: failed.length,
      lost,
      doubled,
    };
  }
  return figures;
}

/** @param pause milliseconds between two looks. */
async function healthy(docker: Docker, container: string, pause = 200): Promise<void> {
  for (const end = Date.now() + 60_000; Date.now() < end; ) {
    const status = await docker('inspect', '-f', '{{.State.Health.Status}}', container);
    if (status.trim() === 'healthy') return;
    await sleep(pause);
  }
  throw new Error('a container of a peer did not become healthy');
}

/** Services in the order of ours, each after the one before, with the health checks that ours have here. */
function composeFile(
  { version, images, variables }: Awaited<ReturnType<Servers['wanted']>>,
  database: string,
): string {
  const app = (service: string, name: string, more: string): string => `  ${service}-${name}:
    image: ${images[service]}
    environment: { COMPTA_VERSION: "${version}", COMPTA_DATABASE_HOST: "${database}" }
    healthcheck: { interval: 2s, timeout: 5s, start_period: 120s, retries: 3 }
    stop_grace_period: 30s
${more}`;
  const after = (index: number): string =>
    index === 0
      ? ''
      : `    depends_on: { ${services[index - 1]}-app: { condition: service_healthy } }\n`;
  const all = services.map(
    (service, index) =>
      app(service, 'app', after(index)) + app(service, 'other', '    profiles: [slots]\n'),
  );
  return `services:
  caddy:
    image: ${variables.CADDY_IMAGE}
    command: [/usr/bin/caddy, run, --config, /etc/caddy/Caddyfile, --adapter, caddyfile]
    volumes: ["/opt/compta/peer/caddy:/etc/caddy:ro"]
    ports: ["80:80"]
    networks: { default: { aliases: [${services.join(', ')}] } }
    # Its image asks a port of the product's own Caddyfile.
    healthcheck: { disable: true }
${all.join('')}`;
}
