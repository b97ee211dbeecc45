/** The addresses and names of one local cloud; a checkout owns exactly one. */
export interface Instance {
  /** 0..15, claimed once per checkout: everything host-wide carries it. */
  number: number;
  /** `<checkout>/.local-cloud`, where its state lives. */
  stateDirectory: string;
}

/** Network namespace, veth, nft table and container prefix all bear this name. */
export function nameOf(instance: Instance): string {
  return `compta${instance.number}`;
}

/** A loopback address of this instance: 1 Hetzner API, 2 S3, 3 Slack, 4 GitHub, from 10 load balancers. */
export function loopback(instance: Instance, host: number): string {
  return `127.77.${instance.number}.${host}`;
}

/** The host's own end of the public side: registry and apt repository listen here. */
export function gatewayAddress(instance: Instance): string {
  return `203.0.113.${instance.number * 16 + 1}`;
}

/** Public addresses to hand out to servers, lowest first. */
export function publicAddresses(instance: Instance): string[] {
  return Array.from({ length: 13 }, (_, i) => `203.0.113.${instance.number * 16 + 2 + i}`);
}

/** The instance's slice of TEST-NET-3. */
export function publicSubnet(instance: Instance): string {
  return `203.0.113.${instance.number * 16}/28`;
}
