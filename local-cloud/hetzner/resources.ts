import type { Labels } from './labels.ts';
import type { DnsPtr } from './reverse-dns.ts';

/** What all resources have. `created` is ISO 8601. */
export interface Resource {
  id: number;
  name: string;
  labels: Labels;
  created: string;
}

export interface SshKey extends Resource {
  publicKey: string;
  /** MD5 in colon notation, as Hetzner shows it. */
  fingerprint: string;
}

export interface Network extends Resource {
  ipRange: string;
  subnets: Subnet[];
  routes: { destination: string; gateway: string }[];
  deleteProtection: boolean;
  exposeRoutesToVswitch: boolean;
}

export interface Subnet {
  type: 'cloud' | 'server';
  ipRange: string;
  networkZone: string;
}

export interface FirewallRule {
  direction: 'in' | 'out';
  protocol: 'tcp' | 'udp' | 'icmp' | 'esp' | 'gre';
  port: string | null;
  sourceIps: string[];
  destinationIps: string[];
  description: string | null;
}

export type FirewallTarget =
  | { type: 'server'; server: number }
  | { type: 'label_selector'; selector: string };

export interface Firewall extends Resource {
  rules: FirewallRule[];
  appliedTo: FirewallTarget[];
}

export type PlacementGroup = Resource;

export interface PrimaryIp extends Resource {
  type: 'ipv4' | 'ipv6';
  /** An IPv4 address, or an IPv6 /64. */
  ip: string;
  location: string;
  assignee: number | null;
  autoDelete: boolean;
  deleteProtection: boolean;
  dnsPtr: DnsPtr[];
}

export interface FloatingIp extends Resource {
  description: string | null;
  type: 'ipv4' | 'ipv6';
  /** An IPv4 address, or an IPv6 /64. */
  ip: string;
  homeLocation: string;
  server: number | null;
  deleteProtection: boolean;
  dnsPtr: DnsPtr[];
}

export interface PrivateNet {
  network: number;
  ip: string;
  aliasIps: string[];
  macAddress: string;
}

export interface Server extends Resource {
  status: 'initializing' | 'off' | 'starting' | 'running' | 'stopping' | 'deleting' | 'rebuilding';
  /**
   * The machine behind it: `none` was never booted, `stale` must be plumbed anew at its
   * next start because its public addresses changed.
   */
  machine: 'none' | 'current' | 'stale';
  serverType: string;
  image: number;
  location: string;
  userData: string;
  /** Public keys, copied when the server is created, as at Hetzner. */
  sshKeys: string[];
  privateNet: PrivateNet[];
  placementGroup: number | null;
  backupWindow: string | null;
  protection: { delete: boolean; rebuild: boolean };
  primaryDiskSize: number;
  rescueEnabled: boolean;
  /** ID of the ISO image in its drive. */
  iso: number | null;
}

export interface Volume extends Resource {
  status: 'creating' | 'available';
  sizeGb: number;
  format: 'ext4' | 'xfs' | null;
  location: string;
  server: number | null;
  deleteProtection: boolean;
}

/** A snapshot or backup; Hetzner's own images are in the catalogue. Its name is empty. */
export interface DiskImage extends Resource {
  description: string;
  type: 'snapshot' | 'backup';
  status: 'creating' | 'available';
  /** The server whose disk it was. */
  server: { id: number; name: string };
  /** The catalogue's image that the server was made of. */
  system: number;
  architecture: string;
  /** GB. */
  diskSize: number;
  deleteProtection: boolean;
}

export interface Certificate extends Resource {
  /** PEM, with the chain if it came with one. */
  certificate: string;
}

export interface HealthCheck {
  protocol: 'tcp' | 'http';
  port: number;
  interval: number;
  timeout: number;
  retries: number;
  http: HttpCheck | null;
}

export interface HttpCheck {
  domain: string;
  path: string;
  /** A text that the answer must hold; empty for any. */
  response: string;
  statusCodes: string[];
  tls: boolean;
}

export interface HttpOptions {
  certificates: number[];
  redirectHttp: boolean;
  stickySessions: boolean;
  cookieName: string;
  /** Seconds. */
  cookieLifetime: number;
  timeoutIdle: number;
}

export interface Service {
  protocol: 'tcp' | 'http' | 'https';
  listenPort: number;
  destinationPort: number;
  proxyprotocol: boolean;
  /** Null for protocol tcp. */
  http: HttpOptions | null;
  healthCheck: HealthCheck;
}

export type Target =
  | { type: 'server'; server: number; usePrivateIp: boolean }
  | { type: 'label_selector'; selector: string; usePrivateIp: boolean };

export interface LoadBalancer extends Resource {
  loadBalancerType: string;
  location: string;
  /** An address of this instance's loopback range. */
  publicIp: string;
  /** Accounted for like at Hetzner, but nothing routes it. */
  publicIpv6: string;
  dnsPtr: DnsPtr[];
  publicInterface: boolean;
  algorithm: 'round_robin' | 'least_connections';
  privateNet: { network: number; ip: string }[];
  services: Service[];
  targets: Target[];
  deleteProtection: boolean;
}

/** Resource kinds by their singular name in the API; the plural is the path. */
export interface Kinds {
  ssh_key: SshKey;
  network: Network;
  firewall: Firewall;
  placement_group: PlacementGroup;
  primary_ip: PrimaryIp;
  floating_ip: FloatingIp;
  server: Server;
  volume: Volume;
  load_balancer: LoadBalancer;
  image: DiskImage;
  certificate: Certificate;
}
export type Kind = keyof Kinds;

export interface Reference {
  id: number;
  type: Kind;
}
