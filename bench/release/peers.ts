import { setTimeout as sleep } from 'node:timers/promises';
import type { Ledger } from '../../lib/release/test/fixture/ledger.ts';
import { atMost, type Figures } from '../measurement.ts';
import type { Places } from './client.ts';
import type { Servers } from './servers.ts';
import { entriesIn, startClient, type Traffic } from './traffic.ts';

/** How others replace a container, on one server under the same load. Each has its own Caddyfile. */
interface Peer {
  upstream: string;
  /** Replaces what runs by `image`. @param compose runs `docker compose …` with that image. */
  swap: (compose: (...words: string[]) => Promise<string>, host: Docker) => Promise<void>;
}
type Docker = (...words: string[]) => Promise<string>;

const retry = 'lb_try_duration 15s\n    lb_try_interval 100ms';

const PEERS: Record<string, Peer> = {
  'docker compose up -d': {
    upstream: `reverse_proxy app:8080 {\n    ${retry}\n  }`,
    swap: async (compose) => void (await compose('up', '-d', '--wait', 'app')),
  },
  // Two at once, then the old one is stopped and removed: docker-rollout's method.
  'docker rollout': {
    upstream: `reverse_proxy {\n    dynamic a app 8080 {\n      refresh 1s\n    }\n    ${retry}\n  }`,
    async swap(compose, docker) {
      const old = (await compose('ps', '-q', 'app')).trim();
      await compose('up', '-d', '--no-recreate', '--scale', 'app=2', 'app');
      const both = (await compose('ps', '-q', 'app')).trim().split('\n');
      await healthy(docker, both.find((id) => id !== old) ?? '');
      await docker('stop', old);
      await docker('rm', old);
    },
  },
  // Two fixed slots with health checks, but the old one learns of its end by SIGTERM.
  'SIGTERM first': {
    upstream: `reverse_proxy app:8080 other:8080 {
    health_uri /actuator/health/readiness
    health_port 8081
    health_interval 500ms
    ${retry}
  }`,
    async swap(compose, docker) {
      const running = (await compose('ps', '--services', '--filter', 'status=running')).split('\n');
      const [from, to] = running.includes('app') ? ['app', 'other'] : ['other', 'app'];
      await compose('up', '-d', to);
      await healthy(docker, (await compose('ps', '-q', to)).trim());
      await sleep(2_000);
      await compose('stop', from);
      await compose('rm', '-f', from);
    },
  },
};

/** One service alone, which has all of it itself. */
const PLACES: Places = {
  paths: ['/api/version'],
  entries: '/api/entries',
  streams: [
    { kind: 'events', path: '/api/events' },
    { kind: 'socket', path: '/api/socket' },
  ],
};

/** HTTP/2 without TLS, so that the same kinds of clients get in. */
const caddyfile = (upstream: string): string => `{
  admin off
  servers {
    protocols h1 h2c
  }
}
:80 {
  ${upstream}
}
`;

/** What one peer did. */
export type PeerFigures = Figures & { requests: number; failed: number };

/**
 * Requests and failures of each peer over so many swaps.
 * @param ours seconds that one of our swaps takes, which is to be no longer than theirs.
 */
export async function comparePeers(
  servers: Servers,
  ledger: Ledger,
  { swaps, ours }: { swaps: number; ours: number },
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
    const compose = async (version: string, ...words: string[]): Promise<string> => {
      const { images, variables } = await servers.wanted(version, {}, ['api-gateway']);
      await write(
        'compose.yml',
        composeFile(String(images['api-gateway']), variables, version, servers.test.gateway),
      );
      const files = ['-p', 'peer', '-f', `${folder}/compose.yml`, '--profile', 'slots'];
      return host.docker('compose', '--progress', 'quiet', ...files, ...words);
    };
    await write('caddy/Caddyfile', caddyfile(peer.upstream));
    await compose('1.0.0', 'up', '-d', '--wait', 'app', 'caddy');
    await sleep(3_000);
    const client = startClient({ base: `http://${host.address}` }, PLACES);
    let took = 0;
    let traffic: Traffic;
    try {
      await sleep(3_000);
      for (let swap = 1; swap <= swaps; swap++) {
        const begun = Date.now();
        await peer.swap((...words) => compose(`1.0.${swap}`, ...words), host.docker);
        took += Date.now() - begun;
        await sleep(3_000);
      }
    } finally {
      traffic = await client.stop();
    }
    const { sent, failed } = traffic;
    await compose('1.0.0', 'down', '--timeout', '1');
    print(`  ${name}: ${failed.length} of ${sent} requests failed in ${swaps} swaps`);
    const { lost, doubled } = entriesIn(traffic, ledger);
    const secondsOfASwap = took / 1000 / swaps;
    const share = Math.round((ours / secondsOfASwap) * 100) / 100;
    figures[name] = {
      swaps,
      secondsOfASwap,
      oursAgainstIt: atMost(1, share, 'of its time'),
      requests: sent,
      failed: failed.length,
      lost,
      doubled,
    };
  }
  return figures;
}

async function healthy(docker: Docker, container: string): Promise<void> {
  for (let attempt = 0; attempt < 150; attempt++) {
    const status = await docker('inspect', '-f', '{{.State.Health.Status}}', container);
    if (status.trim() === 'healthy') return;
    await sleep(200);
  }
  throw new Error('a container of a peer did not become healthy');
}

function composeFile(
  image: string,
  variables: Record<string, string>,
  version: string,
  database: string,
): string {
  const app = `    image: ${image}
    environment: { COMPTA_VERSION: "${version}", COMPTA_DATABASE_HOST: "${database}" }
    stop_grace_period: 30s`;
  return `services:
  caddy:
    image: ${variables.CADDY_IMAGE}
    command: [/usr/bin/caddy, run, --config, /etc/caddy/Caddyfile, --adapter, caddyfile]
    volumes: ["/opt/compta/peer/caddy:/etc/caddy:ro"]
    ports: ["80:80"]
    # Its image asks a port of the product's own Caddyfile.
    healthcheck: { disable: true }
  app:
${app}
  other:
${app}
    profiles: [slots]
`;
}
