import { notAvailable } from './errors.ts';

/** What the machinery can do of Hetzner's: the rest is refused with 501, never feigned. */
export interface Abilities {
  /** Networks that may have members at a time; one of them exists in hardware. */
  networks: number;
  /** Load balancers that end TLS, redirect, keep sessions, and check over TLS or for a text. */
  richBalancing: boolean;
  /** Keeping a server's disk as a snapshot or backup. */
  diskImages: boolean;
  /** Booting a rescue system, or from an ISO image. */
  otherSystems: boolean;
  /** Routing an address to whichever server it is assigned to. */
  floatingAddresses: boolean;
}

/** What `local-cloud/hardware` can do. */
export const HARDWARE: Abilities = {
  networks: 1,
  richBalancing: false,
  diskImages: false,
  otherSystems: false,
  floatingAddresses: false,
};

/** For machinery that only records what it is asked for: the API with nothing left out. */
export const EVERYTHING: Abilities = {
  networks: Number.POSITIVE_INFINITY,
  richBalancing: true,
  diskImages: true,
  otherSystems: true,
  floatingAddresses: true,
};

/** @throws ApiError `unsupported_error` */
export function requireAbility(able: boolean, what: string): void {
  if (!able) throw notAvailable(what);
}
