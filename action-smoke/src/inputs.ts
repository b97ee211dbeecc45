import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import {
  boolean,
  duration,
  InputError,
  lines,
  optional,
  required,
  webAddress,
  yaml,
} from '../../lib/runner/inputs.ts';
import type { Runner } from '../../lib/runner/runner.ts';

export interface Inputs {
  baseUrl: string;
  http: HttpCheck[];
  expectedVersion: string | undefined;
  versionPath: string;
  k6Scripts: string[];
  k6Version: string;
  /** A folder with a Playwright configuration. */
  playwright: string | undefined;
  browser: string | undefined;
  failOnFlaky: boolean;
  timeoutMs: number;
  resultsPath: string;
  artifact: string | undefined;
  toolMirror: string | undefined;
}

const httpCheck = z
  .strictObject({
    name: z.string().optional(),
    path: z.string().startsWith('/'),
    method: z.enum(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS']).default('GET'),
    status: z.number().int().min(100).max(599).default(200),
    contains: z.string().optional(),
    headers: z.record(z.string(), z.string()).default({}),
    body: z.string().optional(),
    'max-ms': z.number().positive().default(10_000),
  })
  .transform(({ 'max-ms': maxMs, ...check }) => ({
    ...check,
    maxMs,
    name: check.name ?? `${check.method} ${check.path}`,
  }));
export type HttpCheck = z.infer<typeof httpCheck>;

export function readInputs(runner: Runner): Inputs {
  return {
    baseUrl: baseUrl(runner),
    http: yaml(runner, 'http', z.array(httpCheck)) ?? [],
    expectedVersion: optional(runner, 'expected-version'),
    versionPath: versionPath(runner),
    k6Scripts: lines(runner, 'k6').map((script) => existing('k6', script)),
    k6Version: optional(runner, 'k6-version') ?? '2.1.0',
    playwright: playwright(runner),
    browser: browser(runner),
    failOnFlaky: boolean(runner, 'fail-on-flaky', true),
    timeoutMs: duration(runner, 'timeout', '5m', 1),
    resultsPath: resolve(optional(runner, 'results-path') ?? join(runner.temp, 'smoke')),
    artifact: optional(runner, 'artifact'),
    toolMirror: webAddress(runner, 'tool-mirror', 'https://mirror.example/tools'),
  };
}

function baseUrl(runner: Runner): string {
  required(runner, 'base-url', 'give the address of the application.');
  return (webAddress(runner, 'base-url', 'https://compta.tn') as string).replace(/\/+$/, '');
}

function versionPath(runner: Runner): string {
  const path = optional(runner, 'version-path') ?? '/api/version';
  if (path.startsWith('/')) return path;
  throw new InputError('version-path', `is '${path}': give a path such as /api/version.`);
}

function playwright(runner: Runner): string | undefined {
  const folder = optional(runner, 'playwright');
  if (folder === undefined) return undefined;
  const configurations = ['ts', 'mts', 'js', 'mjs'].map((end) => `playwright.config.${end}`);
  if (!configurations.some((file) => existsSync(join(folder, file)))) {
    throw new InputError('playwright', `is '${folder}', which has no playwright.config.ts.`);
  }
  return resolve(folder);
}

function browser(runner: Runner): string | undefined {
  const path = optional(runner, 'browser');
  return path === undefined ? undefined : existing('browser', path);
}

function existing(input: string, path: string): string {
  if (!existsSync(path)) throw new InputError(input, `names '${path}', which does not exist.`);
  return resolve(path);
}
