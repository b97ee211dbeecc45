import { dirname } from 'node:path';
import nunjucks from 'nunjucks';
import { parse } from 'yaml';
import { z } from 'zod';
import { fingerprint } from './manifest.ts';

const serviceSchema = z.looseObject({
  labels: z.record(z.string(), z.string()).optional(),
  environment: z.record(z.string(), z.unknown()).optional(),
  mem_limit: z.string().optional(),
});

const composeSchema = z.looseObject({
  name: z.string(),
  'x-compta': z.object({
    order: z.array(z.string()).min(1),
    'version-paths': z.record(z.string(), z.string()),
  }),
  services: z.record(z.string(), serviceSchema),
});

/** A Compose file as it goes to the hosts, and what a release must know of it. */
export interface ComposeFile {
  text: string;
  project: string;
  /** Names of the services that come in two slots, in the order of their release. */
  order: string[];
  /** Path at the public address where a service tells its version. */
  versionPaths: Record<string, string>;
  /** Definition of one slot of each service. */
  definitions: Record<string, unknown>;
  edge: unknown;
  /** Bytes that one slot of each service may take. */
  memory: Record<string, number>;
}

/**
 * Renders the template and checks that it has two slots for each service of `x-compta.order`.
 * Macros are looked for in the template's folder and the one above.
 * @throws Error naming the file and what is missing.
 */
export function renderCompose(path: string, variables: Record<string, string>): ComposeFile {
  const folder = dirname(path);
  const loader = new nunjucks.FileSystemLoader([folder, dirname(folder)]);
  const environment = new nunjucks.Environment(loader, {
    autoescape: false,
    throwOnUndefined: true,
  });
  let text: string;
  let file: z.infer<typeof composeSchema>;
  try {
    text = environment.render(path.slice(folder.length + 1), variables);
    file = composeSchema.parse(parse(text));
  } catch (cause) {
    throw new Error(`The Compose template ${path} does not give a Compose file.`, { cause });
  }
  const order = file['x-compta'].order;
  for (const service of order) {
    for (const slot of ['a', 'b']) {
      const labels = file.services[`${service}-${slot}`]?.labels;
      if (labels?.['compta.service'] === service && labels['compta.slot'] === slot) continue;
      throw new Error(
        `${path} has no slot ${service}-${slot} with the labels compta.service and compta.slot; ` +
          'each service of x-compta.order needs its slots a and b.',
      );
    }
  }
  const edge = file.services.caddy;
  if (edge === undefined) throw new Error(`${path} has no service caddy.`);
  return {
    text,
    project: file.name,
    order,
    versionPaths: file['x-compta']['version-paths'],
    definitions: Object.fromEntries(order.map((name) => [name, file.services[`${name}-a`]])),
    edge,
    memory: Object.fromEntries(
      order.map((name) => [name, bytes(file.services[`${name}-a`]?.mem_limit)]),
    ),
  };
}

/** Variables that a Compose file asks for: `${NAME}` without a default. */
export function neededVariables(text: string): string[] {
  const names = [...text.matchAll(/\$\{([A-Z0-9_]+)\}/g)].flatMap((match) => match[1] ?? []);
  return [...new Set(names)].sort();
}

/** What Compose makes of `${NAME}` and `${NAME:-default}` (a default may nest). */
function interpolate(text: string, variables: Record<string, string>): string {
  const pattern = /\$\{([A-Z0-9_]+)(?::-([^${}]*))?\}/g;
  let result = text;
  for (let depth = 0; depth < 3; depth++) {
    result = result.replaceAll(pattern, (_all, name: string, fallback: string | undefined) => {
      return variables[name] || (fallback ?? '');
    });
  }
  return result;
}

/** The environment that Compose gives a container, its `${NAME}`s filled in. */
export function containerEnvironment(
  definition: unknown,
  variables: Record<string, string>,
): Record<string, string> {
  const { environment = {} } = serviceSchema.parse(definition);
  return Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [
      name,
      interpolate(String(value), variables),
    ]),
  );
}

/** What a service's container depends on besides its image and version. */
export function configFingerprint(
  definition: unknown,
  variables: Record<string, string>,
  extra: unknown = '',
): string {
  const { labels: _labels, image: _image, ...rest } = definition as Record<string, unknown>;
  const { COMPTA_VERSION: _version, ...environment } = (rest.environment ?? {}) as Record<
    string,
    unknown
  >;
  return fingerprint([interpolate(JSON.stringify({ ...rest, environment }), variables), extra]);
}

/** `auth-service` → `AUTH_SERVICE`: the prefix of its variables in `.env`. */
export function variablePrefix(service: string): string {
  return service.toUpperCase().replaceAll('-', '_');
}

/** Text of a `.env` file that Compose reads as these very values. */
export function envFile(variables: Record<string, string>): string {
  return Object.entries(variables)
    .map(([name, value]) => `${name}=${quoted(value)}\n`)
    .sort()
    .join('');
}

/** Between single quotes all stands for itself but `\\'`: a backslash before a quote or at the end needs double ones. */
function quoted(value: string): string {
  if (!/\\(?:'|$)/.test(value)) return `'${value.replaceAll("'", "\\'")}'`;
  return `"${value.replaceAll(/[\\"$]/g, '\\$&')}"`;
}

/** The inverse of {@link envFile}. */
export function parseEnvFile(text: string): Record<string, string> {
  const pattern = /^([A-Z][A-Z0-9_]*)=(?:'((?:\\'|[^'])*)'|"((?:\\[\s\S]|[^"\\])*)")$/gm;
  return Object.fromEntries(
    [...text.matchAll(pattern)].map(([, name = '', single, double = '']) => [
      name,
      single?.replaceAll("\\'", "'") ?? double.replaceAll(/\\([\s\S])/g, '$1'),
    ]),
  );
}

function bytes(limit: string | undefined): number {
  const match = /^(\d+)([kmg]?)b?$/i.exec(limit ?? '');
  const unit = { k: 1024, m: 1024 ** 2, g: 1024 ** 3 }[match?.[2]?.toLowerCase() ?? ''] ?? 1;
  return Number(match?.[1] ?? 0) * unit;
}
