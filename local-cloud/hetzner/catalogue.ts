import catalogue from './catalogue-2026-09-04.json' with { type: 'json' };
import { ApiError, invalidInput } from './errors.ts';

export type Location = (typeof catalogue.locations)[number];
type ServerTypeEntry = (typeof catalogue.server_types)[number];
type LoadBalancerTypeEntry = (typeof catalogue.load_balancer_types)[number];
type ImageEntry = (typeof catalogue.images)[number];

const HOURS_CHARGED_A_MONTH = 624;

/** Hetzner's decimals: text with trailing zeros, net and with VAT. */
function price(net: number): { net: string; gross: string } {
  const gross = net * (1 + Number(catalogue.vat_rate) / 100);
  return { net: net.toFixed(10), gross: gross.toFixed(16) };
}

function prices(monthlyNet: string, locations: string[]) {
  const monthly = Number(monthlyNet);
  const hourly = Math.round((monthly / HOURS_CHARGED_A_MONTH) * 10_000) / 10_000;
  return locations.map((location) => ({
    location,
    price_hourly: price(hourly),
    price_monthly: price(monthly),
  }));
}

function withTraffic(monthlyNet: string, locations: string[]) {
  return prices(monthlyNet, locations).map((entry) => ({
    ...entry,
    included_traffic: catalogue.included_traffic_bytes,
    price_per_tb_traffic: price(Number(catalogue.traffic_tb_net)),
  }));
}

const everywhere = catalogue.locations.map(({ name }) => name);

export const locations: Location[] = catalogue.locations;

export const serverTypes = catalogue.server_types.map((entry: ServerTypeEntry) => {
  const { monthly_net, prices_as_of, available, recommended, deprecation, ...type } = entry;
  return {
    ...type,
    storage_type: 'local',
    deprecated: deprecation !== null,
    deprecation,
    prices: withTraffic(monthly_net, entry.locations),
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
  ({ monthly_net, prices_as_of, ...type }: LoadBalancerTypeEntry) => ({
    ...type,
    deprecated: null,
    deprecation: null,
    prices: withTraffic(monthly_net, everywhere),
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

/** The body of `GET /pricing`. */
export const pricing = {
  currency: catalogue.currency,
  vat_rate: catalogue.vat_rate,
  image: { price_per_gb_month: price(Number(catalogue.image_gb_monthly_net)) },
  floating_ip: { price_monthly: price(Number(catalogue.floating_ip_monthly_net.ipv4)) },
  floating_ips: perFamily(catalogue.floating_ip_monthly_net),
  primary_ips: perFamily(catalogue.primary_ip_monthly_net),
  server_backup: { percentage: catalogue.server_backup_percentage },
  traffic: { price_per_tb: price(Number(catalogue.traffic_tb_net)) },
  volume: { price_per_gb_month: price(Number(catalogue.volume_gb_monthly_net)) },
  server_types: serverTypes.map(({ id, name, prices }) => ({ id, name, prices })),
  load_balancer_types: loadBalancerTypes.map(({ id, name, prices }) => ({ id, name, prices })),
};

function perFamily(monthlyNet: { ipv4: string; ipv6: string }) {
  return (['ipv4', 'ipv6'] as const).map((type) => ({
    type,
    prices: prices(monthlyNet[type], everywhere),
  }));
}

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

export function image(idOrName: string | number) {
  return choose(images, idOrName, 'image');
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
