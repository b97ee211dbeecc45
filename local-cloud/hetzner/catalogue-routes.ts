import { isos, loadBalancerTypes, locations, pricing, serverTypes } from './catalogue.ts';
import { ApiError } from './errors.ts';
import { idOf, ok, type Route } from './http.ts';
import { paginate, sorted } from './pagination.ts';

interface Entry {
  id: number;
  name: string;
}

/** Locations, types, images and prices: the same for everybody. */
export function catalogueRoutes(): Route[] {
  return [
    ...listAndGet('location', locations),
    ...listAndGet('server_type', serverTypes),
    ...listAndGet('load_balancer_type', loadBalancerTypes),
    ...listAndGet('iso', isos, (iso, query) => among(query, 'architecture', iso.architecture)),
    { method: 'GET', path: '/pricing', handle: () => ok({ pricing }) },
    { method: 'GET', path: '/datacenters', handle: gone },
    { method: 'GET', path: '/datacenters/:id', handle: gone },
  ];
}

function listAndGet<T extends Entry>(
  singular: string,
  entries: T[],
  matches: (entry: T, query: URLSearchParams) => boolean = () => true,
): Route[] {
  const plural = `${singular}s`;
  return [
    {
      method: 'GET',
      path: `/${plural}`,
      handle({ query }) {
        const found = entries.filter(
          (entry) => among(query, 'name', entry.name) && matches(entry, query),
        );
        const order = sorted(found, query, { id: ({ id }) => id, name: ({ name }) => name });
        const { page, meta } = paginate(order, query);
        return ok({ [plural]: page, meta: { pagination: meta } });
      },
    },
    {
      method: 'GET',
      path: `/${plural}/:id`,
      handle(request) {
        const found = entries.find(({ id }) => id === idOf(request));
        if (!found) throw new ApiError('not_found', `${singular} not found`);
        return ok({ [singular]: found });
      },
    },
  ];
}

function among(query: URLSearchParams, parameter: string, value: string): boolean {
  const wanted = query.getAll(parameter);
  return wanted.length === 0 || wanted.includes(value);
}

function gone(): never {
  throw new ApiError(
    'deprecated_api_endpoint',
    'datacenters were removed from the API on 2026-10-01; use locations',
    { announcement: 'https://docs.hetzner.cloud/changelog' },
  );
}
