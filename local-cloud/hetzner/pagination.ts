import { invalidInput } from './errors.ts';

export interface Pagination {
  page: number;
  per_page: number;
  previous_page: number | null;
  next_page: number | null;
  last_page: number;
  total_entries: number;
}

/** Cuts the page that `page` (from 1) and `per_page` (1..50, 25 by default) ask for. */
export function paginate<T>(items: T[], query: URLSearchParams): { page: T[]; meta: Pagination } {
  const page = readNumber(query, 'page', 1, Number.MAX_SAFE_INTEGER);
  const perPage = Math.min(readNumber(query, 'per_page', 25, Number.MAX_SAFE_INTEGER), 50);
  const last = Math.max(1, Math.ceil(items.length / perPage));
  return {
    page: items.slice((page - 1) * perPage, page * perPage),
    meta: {
      page,
      per_page: perPage,
      previous_page: page > 1 ? page - 1 : null,
      next_page: page < last ? page + 1 : null,
      last_page: last,
      total_entries: items.length,
    },
  };
}

/** Orders by every `sort=field[:asc|:desc]` of the query; without one, by id. */
export function sorted<T>(
  items: T[],
  query: URLSearchParams,
  fields: Record<string, (item: T) => string | number>,
): T[] {
  const orders = query.getAll('sort').map((text) => {
    const [field = '', direction = 'asc'] = text.split(':');
    const read = Object.hasOwn(fields, field) ? fields[field] : undefined;
    if (!read || !['asc', 'desc'].includes(direction)) {
      const known = Object.keys(fields).join(', ');
      throw invalidInput('sort', `'${text}' is not a sort order; fields: ${known}`);
    }
    return { read, sign: direction === 'desc' ? -1 : 1 };
  });
  return items.toSorted((a, b) => {
    for (const { read, sign } of orders) {
      const left = read(a);
      const right = read(b);
      if (left !== right) return left < right ? -sign : sign;
    }
    return 0;
  });
}

function readNumber(query: URLSearchParams, name: string, fallback: number, max: number): number {
  const text = query.get(name);
  if (text === null || text === '') return fallback;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > max) {
    throw invalidInput(name, `'${text}' is not a whole number of 1 or more`);
  }
  return value;
}
