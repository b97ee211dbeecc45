import { z } from 'zod';
import { ReleaseFailure } from './evidence.ts';
import { type Host, slotName } from './host.ts';
import * as layout from './layout.ts';
import type { Manifest } from './manifest.ts';
import type { Slot } from './slots.ts';
import { answered, pause, until } from './waiting.ts';

const upstreamsSchema = z.array(z.object({ address: z.string(), num_requests: z.number() }));

/** Requests that Caddy has under way to a slot; 0 when it has no record of it. */
export async function requestsUnderWay(host: Host, slot: Slot): Promise<number> {
  const url = 'http://localhost/reverse_proxy/upstreams';
  const { status, body } = await answered(
    () => host.http(url, '--unix-socket', layout.caddy.adminSocket),
    (answer) => answer.status === 0,
  );
  if (status !== 200) throw new Error(`Caddy's admin socket on ${host.name} does not answer.`);
  const address = `${slotName(slot.service, slot.slot)}:${layout.ports.service}`;
  return upstreamsSchema
    .parse(JSON.parse(body))
    .filter((upstream) => upstream.address === address)
    .reduce((sum, upstream) => sum + upstream.num_requests, 0);
}

/** Which slots Caddy sends so many requests for a service to; '' where it has none. */
export async function chosenSlots(
  host: Host,
  edge: string,
  service: string,
  count: number,
): Promise<string[]> {
  const one = ['curl', '-s', '--max-time', '4', '-o', '/dev/null', '-D', '-'];
  const urls = Array.from({ length: count }, () => `http://${edge}/`);
  const { stdout } = await host.read([...one, '-H', `Host: ${service}`, ...urls], {
    allowFailure: true,
  });
  return [...stdout.matchAll(/^x-compta-slot: (\S+):\d+\s*$/gim)].map((match) => match[1] ?? '');
}

/** Lets Caddy itself judge a Caddyfile that is about to be used, with the image that will use it. */
export async function validateEdge(host: Host, target: Manifest): Promise<void> {
  const folder = layout.releaseFolder(target.release);
  const { code, stderr } = await host.change(
    ['docker', 'run', '--rm', '--network', 'none', '--env-file', `${folder}/edge.env`]
      .concat('-v', `${folder}/caddy:/etc/caddy:ro`, target.edge.image)
      .concat('/usr/bin/caddy', 'validate', '--config', '/etc/caddy/Caddyfile')
      .concat('--adapter', 'caddyfile'),
    { allowFailure: true },
  );
  if (code === 0) return;
  const reason = stderr.trim().split('\n').at(-1) ?? '';
  throw new ReleaseFailure(`Caddy refuses the Caddyfile of ${target.release}: ${reason}`);
}

export interface EdgeChange {
  /** Whether the load balancer sends this host nothing meanwhile. */
  leave: boolean;
  /** The host was out of rotation before, and its services are not what they have to be yet. */
  stayOut: boolean;
  /** How long the load balancer may take to see that the host is out of rotation, or back. */
  drainMs: number;
}

/** Brings Caddy to the target's image, file and settings. */
export async function applyEdge(
  host: Host,
  target: Manifest,
  { leave, stayOut, drainMs }: EdgeChange,
  say: (line: string) => void,
): Promise<void> {
  const folder = layout.releaseFolder(target.release);
  if (leave) {
    say(`out of rotation for ${drainMs / 1000} s, as Caddy itself changes`);
    await host.change(['touch', layout.caddy.outOfRotation]);
    await pause(drainMs);
  }
  const install = 'install -m 0644 "$1" "$2.new" && mv -f "$2.new" "$2"';
  const files = [`${folder}/caddy/Caddyfile`, `${layout.caddy.configuration}/Caddyfile`];
  await host.change(['sh', '-c', install, 'install', ...files]);
  await host.compose(target.release, 'up', '-d', '--no-deps', '--pull', 'never', 'caddy');
  await until('Caddy to answer', 30_000, async () => {
    const { edge } = await host.state();
    if (edge === undefined) return false;
    // Answered by Caddy itself, whatever the state of the services.
    const url = `http://${edge.address}:${layout.ports.publicSite}/actuator`;
    return (await host.http(url)).status === 404;
  });
  // Compose does not touch a container that is the target's already. What it has read may be another's:
  // the file of a run that was killed before it replaced the container. The same again changes nothing.
  const options = ['--config', '/etc/caddy/Caddyfile', '--adapter', 'caddyfile'];
  const reload = ['exec', '-T', 'caddy', '/usr/bin/caddy', 'reload', ...options];
  await host.compose(target.release, ...reload);
  if (stayOut) return;
  await host.change(['rm', '-f', layout.caddy.outOfRotation]);
  if (!leave) return;
  // The next host may leave at once: by then the load balancer has to send requests here again.
  say(`back in rotation, which the load balancer sees within ${drainMs / 1000} s`);
  await pause(drainMs);
}
