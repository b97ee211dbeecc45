import { z } from 'zod';
import { presentAction } from './actions.ts';
import { ApiError, parseBody } from './errors.ts';
import { type ApiRequest, idOf, ok, type Route } from './http.ts';
import { type Labels, labelsSchema, parseSelector } from './labels.ts';
import { paginate, sorted } from './pagination.ts';
import type { Kind, Kinds, Resource } from './resources.ts';
import type { Cloud } from './site.ts';
import { find, requireUniqueName } from './world.ts';

export interface Collection<K extends Kind> {
  kind: K;
  present(record: Kinds[K]): unknown;
  /** Query parameters besides `name` and `label_selector`. */
  filters?: Record<string, (record: Kinds[K]) => string>;
  /** Checks what PUT may change besides name and labels; the result is called after those. */
  planUpdate?(record: Kinds[K], body: unknown): () => void | Promise<void>;
}

const nameAndLabels = z.object({
  name: z.string().min(1).max(64).optional(),
  labels: labelsSchema.optional(),
});

/** What every kind of resource answers alike: list, get, change of name and labels, its actions. */
export function collectionRoutes<K extends Kind>(cloud: Cloud, own: Collection<K>): Route[] {
  const { kind } = own;
  const plural = `${kind}s`;
  const records = () => cloud.world.records[kind];
  return [
    {
      method: 'GET',
      path: `/${plural}`,
      async handle({ query }) {
        const found = selected(records(), query, own.filters ?? {});
        const { page, meta } = paginate(sorted(found, query, sortFields<Kinds[K]>()), query);
        const items = await Promise.all(page.map((record) => own.present(record)));
        return ok({ [plural]: items, meta: { pagination: meta } });
      },
    },
    {
      method: 'GET',
      path: `/${plural}/:id`,
      async handle(request) {
        return ok({ [kind]: await own.present(find(cloud.world, kind, idOf(request))) });
      },
    },
    {
      method: 'PUT',
      path: `/${plural}/:id`,
      async handle(request) {
        const record = find(cloud.world, kind, idOf(request));
        const change = parseBody(nameAndLabels, request.body);
        const finish = own.planUpdate?.(record, request.body);
        if (change.name !== undefined) {
          requireUniqueName(cloud.world, kind, change.name, record.id);
          record.name = change.name;
        }
        if (change.labels) record.labels = change.labels;
        await finish?.();
        return ok({ [kind]: await own.present(record) });
      },
    },
    ...actionRoutes(cloud, kind, plural),
  ];
}

/** The actions of all resources of a kind, and of one of them. */
export function actionRoutes(cloud: Cloud, kind: Kind, plural: string): Route[] {
  const actionsOf = (id: number | null) =>
    cloud.world.actions.filter((action) =>
      action.resources.some(
        (resource) => resource.type === kind && (id === null || resource.id === id),
      ),
    );
  const one = (id: number | null, request: ApiRequest) =>
    getAction(actionsOf(id), idOf(request, 'action'));
  const list = (id: number | null, { query }: ApiRequest) => listActions(actionsOf(id), query);
  return [
    { method: 'GET', path: `/${plural}/actions`, handle: (request) => list(null, request) },
    {
      method: 'GET',
      path: `/${plural}/actions/:action`,
      handle: (request) => one(null, request),
    },
    {
      method: 'GET',
      path: `/${plural}/:id/actions`,
      handle: (request) => list(find(cloud.world, kind, idOf(request)).id, request),
    },
    {
      method: 'GET',
      path: `/${plural}/:id/actions/:action`,
      handle: (request) => one(idOf(request), request),
    },
  ];
}

/** @throws ApiError `not_found` */
export function getAction(actions: Cloud['world']['actions'], wanted: number) {
  const action = actions.find(({ id }) => id === wanted);
  if (!action) throw new ApiError('not_found', `action ${wanted} not found`);
  return ok({ action: presentAction(action) });
}

/** A page of actions, by `id`, `status` and `sort` of the query. */
export function listActions(actions: Cloud['world']['actions'], query: URLSearchParams) {
  const ids = query.getAll('id').map(Number);
  const states = query.getAll('status');
  const found = actions.filter(
    ({ id, status }) =>
      (ids.length === 0 || ids.includes(id)) && (states.length === 0 || states.includes(status)),
  );
  const ordered = sorted(found, query, {
    id: ({ id }) => id,
    command: ({ command }) => command,
    status: ({ status }) => status,
    progress: ({ progress }) => progress,
    started: ({ started }) => started,
    finished: ({ finished }) => finished ?? '',
  });
  const { page, meta } = paginate(ordered, query);
  return ok({ actions: page.map(presentAction), meta: { pagination: meta } });
}

function selected<T extends Resource>(
  records: T[],
  query: URLSearchParams,
  filters: Record<string, (record: T) => string>,
): T[] {
  const selector = query.get('label_selector');
  const matches: (labels: Labels) => boolean = selector ? parseSelector(selector) : () => true;
  const all = { name: (record: T) => record.name, ...filters };
  return records.filter(
    (record) =>
      matches(record.labels) &&
      Object.entries(all).every(([parameter, read]) => {
        const wanted = query.getAll(parameter);
        return wanted.length === 0 || wanted.includes(read(record));
      }),
  );
}

function sortFields<T extends Resource>(): Record<string, (record: T) => string | number> {
  return {
    id: ({ id }) => id,
    name: ({ name }) => name,
    created: ({ created }) => created,
  };
}
