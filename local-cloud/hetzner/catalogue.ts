import catalogue from './catalogue-2026-09-04.json' with { type: 'json' };
import { ApiError, invalidInput } from './errors.ts';

export type Location = (typeof catalogue.locations)[number];
type ServerTypeEntry = (typeof catalogue.server_types)[number];
type LoadBalancerTypeEntry = (typeof catalogue.load_balancer_types)[number];
type ImageEntry = (typeof catalogue.images)[number];

interface Price {
  monthly_net: string;
  source: string;
}

const HOURS_CHARGED_A_MONTH = 624;

/** Hetzner's decimals: text with trailing zeros, net and with VAT. */
function price(net: number): { net: string; gross: string } {
  const gross = net * (1 + Number(catalogue.vat_rate) / 100);
  return { net: net.toFixed(10), gross: gross.toFixed(16) };
}

/** In every location the same; none where no source tells one. */
function prices(entry: Price | null, locations: string[]) {
  if (entry === null) return [];
  const monthly = Number(entry.monthly_net);
  const hourly = Math.round((monthly / HOURS_CHARGED_A_MONTH) * 10_000) / 10_000;
  return locations.map((location) => ({
    location,
    price_hourly: price(hourly),
    price_monthly: price(monthly),
  }));
}

function withTraffic(entry: Price | null, locations: string[]) {
  return prices(entry, locations).map((each) => ({
    ...each,
    included_traffic: catalogue.traffic.included_bytes,
    price_per_tb_traffic: price(Number(catalogue.traffic.tb_net)),
  }));
}

const everywhere = catalogue.locations.map(({ name }) => name);

export const locations: Location[] = catalogue.locations;

export const serverTypes = catalogue.server_types.map((entry: ServerTypeEntry) => {
  const { price: listed, available, recommended, deprecation, ...type } = entry;
  return {
    ...type,
    storage_type: 'local',
    deprecated: deprecation !== null,
    deprecation,
    prices: withTraffic(listed, entry.locations),
    locations: entry.locations.map((name) => ({
      id: location(name).id,
      name,
      available,
      recommended,
      deprecation,
    })),
  };
});
export type ServerType = (typeof serverTypes)[number];

export const loadBalancerTypes = catalogue.load_balancer_types.map(
  ({ price: listed, ...type }: LoadBalancerTypeEntry) => ({
    ...type,
    deprecated: null,
    deprecation: null,
    prices: withTraffic(listed, everywhere),
  }),
);

export const images = catalogue.images.map((image: ImageEntry) => ({
  ...image,
  type: 'system',
  status: 'available',
  image_size: null,
  created_from: null,
  bound_to: null,
  rapid_deploy: true,
  protection: { delete: false },
  deprecated: null,
  deleted: null,
  labels: {},
}));

export const isos = catalogue.isos.map((entry) => ({
  ...entry,
  type: 'public',
  architecture: 'x86',
  deprecation: null,
}));

/** The body of `GET /pricing`: what has no source has no price. */
export const pricing = {
  currency: catalogue.currency,
  vat_rate: catalogue.vat_rate,
  image: { price_per_gb_month: price(Number(catalogue.image_gb.monthly_net)) },
  floating_ips: [],
  primary_ips: [{ type: 'ipv4', prices: prices(catalogue.primary_ipv4, everywhere) }],
  server_backup: { percentage: catalogue.server_backup.percentage },
  volume: { price_per_gb_month: price(Number(catalogue.volume_gb.monthly_net)) },
  server_types: serverTypes.map(({ id, name, prices }) => ({ id, name, prices })),
  load_balancer_types: loadBalancerTypes.map(({ id, name, prices }) => ({ id, name, prices })),
};

/** Finds by ID or name. @throws ApiError `invalid_input` naming the field */
function choose<T extends { id: number; name: string }>(
  entries: T[],
  idOrName: string | number,
  field: string,
): T {
  const found = entries.find(
    ({ id, name }) => name === idOrName || String(id) === String(idOrName),
  );
  if (!found) throw invalidInput(field, `${field} '${idOrName}' does not exist`);
  return found;
}

export function location(idOrName: string | number): Location {
  return choose(locations, idOrName, 'location');
}

export function serverType(idOrName: string | number): ServerType {
  return choose(serverTypes, idOrName, 'server_type');
}

export function loadBalancerType(idOrName: string | number) {
  return choose(loadBalancerTypes, idOrName, 'load_balancer_type');
}

/** Installation media, by ID or name. */
export function iso(idOrName: string | number) {
  return choose(isos, idOrName, 'iso');
}

/**
 * Whether a server of this type can be had in a location today.
 * @throws ApiError `invalid_server_type` when it is not sold there (any more),
 *   `resource_unavailable` when it is sold out
 */
export function requireOrderable(type: ServerType, at: Location, today = new Date()): void {
  const offer = type.locations.find(({ name }) => name === at.name);
  if (!offer) {
    throw new ApiError('invalid_server_type', `${type.name} is not offered in ${at.name}`);
  }
  if (offer.deprecation && new Date(offer.deprecation.unavailable_after) <= today) {
    throw new ApiError('invalid_server_type', `${type.name} is deprecated in ${at.name}`);
  }
  if (!offer.available) {
    throw new ApiError('resource_unavailable', `${type.name} is not available in ${at.name}`);
  }
}
