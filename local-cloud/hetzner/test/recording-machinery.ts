import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  FirewallPolicy,
  LoadBalancerSpec,
  Machinery,
  ServerSpec,
  VolumeSpec,
} from '../../machinery.ts';

interface Hardware {
  servers: Record<number, ServerSpec & { running: boolean; privateIp: string | null }>;
  volumes: Record<number, VolumeSpec & { server: number | null }>;
  network: string | null;
  firewalls: FirewallPolicy[];
  balancers: LoadBalancerSpec[];
}
type Call = [method: keyof Machinery, ...input: unknown[]];

/**
 * Hardware that is only a record: its state is what the calls so far amount to. With a
 * journal on disk it outlives the process that uses it, as real hardware does.
 */
export class RecordingMachinery implements Machinery {
  readonly state: Hardware = {
    servers: {},
    volumes: {},
    network: null,
    firewalls: [],
    balancers: [],
  };
  readonly calls: Call[] = [];
  readonly #journal: string | null;
  /** Milliseconds that booting a server takes. */
  readonly #bootTime: number;

  constructor(options: { journal?: string; bootTime?: number } = {}) {
    this.#journal = options.journal ?? null;
    this.#bootTime = options.bootTime ?? 0;
    if (this.#journal && existsSync(this.#journal)) {
      const lines = readFileSync(this.#journal, 'utf8').trim().split('\n').filter(Boolean);
      for (const line of lines) this.#apply(JSON.parse(line) as Call);
    }
  }

  async createServer(spec: ServerSpec): Promise<void> {
    await sleep(this.#bootTime);
    this.#record('createServer', spec);
  }
  async startServer(id: number): Promise<void> {
    this.#record('startServer', id);
  }
  async stopServer(id: number): Promise<void> {
    this.#record('stopServer', id);
  }
  async deleteServer(id: number): Promise<void> {
    this.#record('deleteServer', id);
  }
  async setPrivateAddress(id: number, ip: string | null): Promise<void> {
    this.#record('setPrivateAddress', id, ip);
  }
  async createVolume(spec: VolumeSpec): Promise<void> {
    this.#record('createVolume', spec);
  }
  async resizeVolume(id: number, sizeGb: number): Promise<void> {
    this.#record('resizeVolume', id, sizeGb);
  }
  async deleteVolume(id: number): Promise<void> {
    this.#record('deleteVolume', id);
  }
  async attachVolume(id: number, serverId: number): Promise<void> {
    this.#record('attachVolume', id, serverId);
  }
  async detachVolume(id: number): Promise<void> {
    this.#record('detachVolume', id);
  }
  async setPrivateNetwork(cidr: string | null): Promise<void> {
    this.#record('setPrivateNetwork', cidr);
  }
  async setFirewalls(policies: FirewallPolicy[]): Promise<void> {
    this.#record('setFirewalls', policies);
  }
  async setLoadBalancers(balancers: LoadBalancerSpec[]): Promise<void> {
    this.#record('setLoadBalancers', balancers);
  }
  async targetHealth(balancerId: number) {
    const balancer = this.state.balancers.find(({ id }) => id === balancerId);
    const running = Object.values(this.state.servers).filter((server) => server.running);
    return Object.fromEntries(
      (balancer?.services ?? []).flatMap(({ listenPort }) =>
        (balancer?.targets ?? []).map((ip) => [
          `${listenPort}/${ip}`,
          running.some(({ privateIp, publicIp }) => [privateIp, publicIp].includes(ip))
            ? ('healthy' as const)
            : ('unhealthy' as const),
        ]),
      ),
    );
  }

  #record(...call: Call): void {
    // A copy: what was handed over must not change with the API's own records.
    const copy = structuredClone(call);
    if (this.#journal) appendFileSync(this.#journal, `${JSON.stringify(copy)}\n`);
    this.#apply(copy);
  }

  #apply(call: Call): void {
    this.calls.push(call);
    const [method, first, second] = call as [string, never, never];
    const server = this.state.servers[first];
    const volume = this.state.volumes[first];
    const changes: Record<string, () => void> = {
      createServer: () => {
        const spec = first as ServerSpec;
        const privateIp = this.state.servers[spec.id]?.privateIp ?? null;
        this.state.servers[spec.id] = { ...spec, running: true, privateIp };
      },
      startServer: () => Object.assign(known(server), { running: true }),
      stopServer: () => Object.assign(known(server), { running: false }),
      deleteServer: () => delete this.state.servers[first],
      setPrivateAddress: () => {
        if (second !== null && !this.state.network) throw new Error('there is no network');
        Object.assign(known(server), { privateIp: second });
      },
      createVolume: () => {
        const spec = first as VolumeSpec;
        this.state.volumes[spec.id] = { ...spec, server: null };
      },
      resizeVolume: () => Object.assign(known(volume), { sizeGb: second }),
      deleteVolume: () => delete this.state.volumes[first],
      attachVolume: () => {
        known(this.state.servers[second]);
        Object.assign(known(volume), { server: second });
      },
      detachVolume: () => Object.assign(known(volume), { server: null }),
      setPrivateNetwork: () => Object.assign(this.state, { network: first }),
      setFirewalls: () => Object.assign(this.state, { firewalls: first }),
      setLoadBalancers: () => Object.assign(this.state, { balancers: first }),
    };
    changes[method]?.();
  }
}

function known<T>(record: T | undefined): T {
  if (!record) throw new Error('no such hardware');
  return record;
}
