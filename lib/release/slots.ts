import { z } from 'zod';

export type SlotName = 'a' | 'b';

/** A running container of a service, as Docker's labels and inspect tell: there is no other truth. */
export interface Slot {
  id: string;
  service: string;
  slot: SlotName;
  image: string;
  version: string;
  config: string;
  release: string;
  /** Docker's verdict; `none` when the image has no HEALTHCHECK. */
  health: 'starting' | 'healthy' | 'unhealthy' | 'none';
  /** ISO time of its start. */
  startedAt: string;
  /** Address on the backend network, where the host reaches its management port. */
  address: string;
}

/** The edge's container; there is at most one. */
export interface Edge {
  id: string;
  image: string;
  config: string;
  address: string;
}

/** What runs on a host. */
export interface HostState {
  slots: Slot[];
  edge: Edge | undefined;
  /** The load balancer is told to send nothing: the host may have missed a release. */
  outOfRotation: boolean;
  /** SHA-256 of the Caddyfile that Caddy would start with; nothing when there is none. */
  caddyfile?: string;
}

/** Whether the load balancer sends a server requests. */
export function serves({ edge, outOfRotation }: HostState): boolean {
  return edge !== undefined && !outOfRotation;
}

const containerSchema = z.object({
  Id: z.string(),
  State: z.object({
    Running: z.boolean(),
    StartedAt: z.string(),
    Health: z.object({ Status: z.string() }).optional(),
  }),
  Config: z.object({ Labels: z.record(z.string(), z.string()) }),
  NetworkSettings: z.object({
    Networks: z.record(z.string(), z.object({ IPAddress: z.string() })),
  }),
});

/** Reads the JSON of `docker inspect`; containers that do not run or are not ours are left out. */
export function readContainers(json: string, network: string): Pick<HostState, 'slots' | 'edge'> {
  const containers = z.array(containerSchema).parse(JSON.parse(json || '[]'));
  const state: ReturnType<typeof readContainers> = { slots: [], edge: undefined };
  for (const container of containers.filter((candidate) => candidate.State.Running)) {
    const labels = container.Config.Labels;
    const address = container.NetworkSettings.Networks[network]?.IPAddress ?? '';
    const image = labels['compta.image'] ?? '';
    const config = labels['compta.config'] ?? '';
    if (labels['compta.edge'] !== undefined) {
      state.edge = { id: container.Id, image, config, address };
    }
    const slot = labels['compta.slot'];
    const service = labels['compta.service'];
    if (service === undefined || (slot !== 'a' && slot !== 'b')) continue;
    state.slots.push({
      id: container.Id,
      service,
      slot,
      image,
      config,
      address,
      version: labels['compta.version'] ?? '',
      release: labels['compta.release'] ?? '',
      health: healthOf(container.State.Health?.Status),
      startedAt: container.State.StartedAt,
    });
  }
  return state;
}

function healthOf(status: string | undefined): Slot['health'] {
  if (status === 'starting' || status === 'healthy' || status === 'unhealthy') return status;
  return 'none';
}
