/**
 * What the Hetzner API asks of the machine underneath: the border between bookkeeping
 * (`hetzner/`, which knows names, actions and errors) and hardware (`hardware/`, which
 * knows containers, network namespaces, loop devices and HAProxy).
 *
 * Every call is idempotent and leaves the world as described when it resolves, so that
 * a run killed in between can simply ask again.
 */
export interface Machinery {
  /** Boots a server: real cloud-init with `userData`, interfaces plumbed. Resolves when it runs. */
  createServer(server: ServerSpec): Promise<void>;
  startServer(id: number): Promise<void>;
  /** Graceful (ACPI-like) stop; the disk stays. */
  stopServer(id: number): Promise<void>;
  deleteServer(id: number): Promise<void>;
  /** Gives a server its leg in the private network, or takes it away with `ip: null`. */
  setPrivateAddress(id: number, ip: string | null): Promise<void>;

  createVolume(volume: VolumeSpec): Promise<void>;
  /** Grows the device; the file system is the guest's business, as at Hetzner. */
  resizeVolume(id: number, sizeGb: number): Promise<void>;
  deleteVolume(id: number): Promise<void>;
  attachVolume(id: number, serverId: number): Promise<void>;
  detachVolume(id: number): Promise<void>;

  /** The private network's range (e.g. 10.0.0.0/16), or null when there is none. */
  setPrivateNetwork(cidr: string | null): Promise<void>;
  /** The whole public-side policy; a server that is not named accepts everything. */
  setFirewalls(policies: FirewallPolicy[]): Promise<void>;
  /** All load balancers as they should be. */
  setLoadBalancers(balancers: LoadBalancerSpec[]): Promise<void>;
  /** Target health as the balancer sees it now, keyed by `<listen port>/<private ip>`. */
  targetHealth(balancerId: number): Promise<Record<string, 'healthy' | 'unhealthy' | 'unknown'>>;
}

export interface ServerSpec {
  id: number;
  name: string;
  /** Public address with its /32 leg, or null for a server without one. */
  publicIp: string | null;
  userData: string;
  sshKeys: string[];
}

export interface VolumeSpec {
  id: number;
  sizeGb: number;
  format: 'ext4' | 'xfs' | null;
}

export interface FirewallPolicy {
  serverId: number;
  publicIp: string;
  inbound: FirewallRule[];
}

export interface FirewallRule {
  protocol: 'tcp' | 'udp' | 'icmp' | 'esp' | 'gre';
  /** "22", "8000-9000" or null for all ports. */
  port: string | null;
  sourceIps: string[];
}

export interface LoadBalancerSpec {
  id: number;
  name: string;
  /** Its public IPv4: an address of the loopback range that HAProxy binds. */
  publicIp: string;
  /** Its leg in the private network, the source of its connections and checks. */
  privateIp: string | null;
  algorithm: 'round_robin' | 'least_connections';
  services: LoadBalancerService[];
  /** Private addresses of the targets. */
  targets: string[];
}

export interface LoadBalancerService {
  protocol: 'tcp' | 'http';
  listenPort: number;
  destinationPort: number;
  proxyProtocol: boolean;
  healthCheck: {
    protocol: 'tcp' | 'http';
    port: number;
    intervalSeconds: number;
    timeoutSeconds: number;
    retries: number;
    /** For HTTP checks only. */
    path: string | null;
    domain: string | null;
    statusCodes: string[];
  };
}
