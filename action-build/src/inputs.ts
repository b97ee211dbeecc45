import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { isAbsolute, relative } from 'node:path';
import { z } from 'zod';
import {
  asWritten,
  boolean,
  duration,
  InputError,
  integer,
  lines,
  optional,
  optionalSecret,
  required,
  webAddress,
  yaml,
} from '../../lib/runner/inputs.ts';
import type { Runner } from '../../lib/runner/runner.ts';
import type { BuildCache } from './build-cache.ts';
import { SEVERITIES, type Severity } from './findings.ts';
import { derivedTags, isReserved } from './tags.ts';

export interface ImageSource {
  name: string;
  context: string;
  file: string | undefined;
  target: string | undefined;
  buildArgs: Record<string, string>;
}

/** An image that is in the registry already: scanned again and given new tags, never built anew. */
export interface TakenImage {
  name: string;
  /** The tag that it has there. */
  from: string;
}

export interface Inputs {
  images: (ImageSource | TakenImage)[];
  registry: string;
  /** What the registry asks for; without it images are built from public bases and pushed openly. */
  login: { username: string; password: string } | undefined;
  version: string;
  tags: string[];
  platforms: string[];
  severities: Severity[];
  ignoreUnfixed: boolean;
  ignoreFile: string | undefined;
  trivyVersion: string;
  trivyDatabase: string | undefined;
  /** Registry and namespace with `trivy-db` and `trivy-java-db`. */
  databaseMirror: string | undefined;
  /** Milliseconds. */
  databaseGrace: number;
  cache: BuildCache;
  attest: boolean;
  /** Left out, images are not signed. */
  signing: { key: string; password: string } | undefined;
  /** Tag of the release before. */
  unchangedFrom: string | undefined;
  toolMirror: string | undefined;
  push: boolean;
  parallel: number;
  /** Of SOURCE_DATE_EPOCH: seconds that every file and the image itself are dated by. */
  epoch: number;
}

const name = z.string().regex(/^[a-z0-9]+([._-][a-z0-9]+)*$/, 'is no image name');
const image = z
  .strictObject({
    name,
    context: z.string().min(1).optional(),
    from: z.string().min(1).optional(),
    file: z.string().optional(),
    target: z.string().optional(),
    'build-args': z.record(z.string(), z.string().nullable()).optional(),
  })
  .refine(
    ({ context, from }) => (context === undefined) !== (from === undefined),
    'needs `context` to be built, or `from` to be taken from the registry',
  );

export function readInputs(runner: Runner): Inputs {
  const version = tag(required(runner, 'version', 'give the version to build.'), 'version');
  const derived = boolean(runner, 'derive-tags', false)
    ? derivedTags(version, runner.env.GITHUB_REF ?? '')
    : [];
  const repository = registry(runner);
  const former = optional(runner, 'unchanged-from');
  return {
    images: images(runner),
    registry: repository,
    login: login(runner),
    version,
    tags: [...lines(runner, 'tags').map((line) => tag(line, 'tags')), ...derived],
    platforms: platforms(runner),
    severities: severities(runner),
    ignoreUnfixed: boolean(runner, 'ignore-unfixed', false),
    ignoreFile: ignoreFile(runner),
    trivyVersion: optional(runner, 'trivy-version') ?? '0.70.0',
    trivyDatabase: optional(runner, 'trivy-database'),
    databaseMirror: databaseMirror(runner),
    databaseGrace: duration(runner, 'trivy-database-grace', '72h'),
    cache: buildCache(runner, repository),
    attest: boolean(runner, 'attest', true),
    signing: signing(runner),
    unchangedFrom: former === undefined ? undefined : tag(former, 'unchanged-from'),
    toolMirror: webAddress(runner, 'tool-mirror', 'https://mirror.example/tools'),
    push: boolean(runner, 'push', true),
    parallel: integer(runner, 'parallel', 2, { min: 1, max: 16 }),
    epoch: epoch(runner.env.SOURCE_DATE_EPOCH || '0'),
  };
}

/** https://reproducible-builds.org/specs/source-date-epoch/ */
function epoch(value: string): number {
  // A JavaScript date ends at 8.64e12 seconds.
  if (/^\d{1,12}$/.test(value)) return Number(value);
  throw new Error(
    `SOURCE_DATE_EPOCH is '${value}': give whole seconds since 1970, as \`git log -1 --format=%ct\` does.`,
  );
}

function images(runner: Runner): (ImageSource | TakenImage)[] {
  const given = yaml(runner, 'images', z.array(image).min(1), asWritten);
  if (given === undefined) {
    throw new InputError('images', 'is missing: give a YAML list of name and context.');
  }
  const names = given.map((entry) => entry.name);
  const twice = names.find((candidate, i) => names.indexOf(candidate) !== i);
  if (twice !== undefined) throw new InputError('images', `has '${twice}' twice.`);
  return given.map(({ 'build-args': args = {}, context = '', from, ...rest }) => {
    if (from !== undefined) return { name: rest.name, from: tag(from, 'images') };
    for (const path of isElsewhere(context) ? [] : [context, rest.file ?? context]) {
      if (existsSync(path)) continue;
      throw new InputError('images', `has '${path}' for ${rest.name}, which does not exist.`);
    }
    // What has no value is a variable that nobody has set.
    const buildArgs = Object.fromEntries(
      Object.entries(args).map(([key, value]) => [key, value ?? '']),
    );
    return { name: rest.name, context, file: rest.file, target: rest.target, buildArgs };
  });
}

/** Whether BuildKit fetches a context itself: https://docs.docker.com/build/concepts/context/#remote-context */
export function isElsewhere(context: string): boolean {
  return /^(https?:\/\/|git:\/\/|ssh:\/\/|git@|github\.com\/)/.test(context);
}

function registry(runner: Runner): string {
  return namespace(required(runner, 'registry', 'give registry and namespace.'), 'registry');
}

function databaseMirror(runner: Runner): string | undefined {
  const value = optional(runner, 'trivy-database-mirror');
  return value === undefined ? undefined : namespace(value, 'trivy-database-mirror');
}

function namespace(given: string, input: string): string {
  const value = given.replace(/\/+$/, '');
  if (!/^[a-z0-9.-]+(:\d+)?(\/[a-z0-9._/-]+)?$/.test(value)) {
    throw new InputError(input, `is '${value}': give it as host[:port]/namespace, without scheme.`);
  }
  // Whatever else it begins with would be a namespace of Docker Hub's.
  if (!/^(localhost|[^/]*[.:][^/]*)(\/|$)/.test(value)) {
    throw new InputError(input, `is '${value}', which names no host: begin with one, as ghcr.io/.`);
  }
  return value;
}

function ignoreFile(runner: Runner): string | undefined {
  const path = optional(runner, 'ignore-file');
  if (path !== undefined && !existsSync(path)) {
    throw new InputError('ignore-file', `names '${path}', which does not exist.`);
  }
  return path;
}

function buildCache(runner: Runner, repository: string): BuildCache {
  const value = optional(runner, 'cache');
  if (value === undefined) return { kind: 'none' };
  if (value === 'github') return { kind: 'github' };
  if (value === 'registry') return { kind: 'registry', repository };
  if (!isAbsolute(value)) {
    throw new InputError('cache', `is '${value}': give github, registry or an absolute folder.`);
  }
  // What lies there decides whether an image passes.
  const { GITHUB_WORKSPACE: checkout } = runner.env;
  if (checkout && !/^\.\.(\/|$)/.test(relative(checkout, value))) {
    throw new InputError(
      'cache',
      `is '${value}', inside the checkout, which anybody's commit can fill: give a folder outside it.`,
    );
  }
  return { kind: 'folder', folder: value, run: randomUUID() };
}

function login(runner: Runner): Inputs['login'] {
  const password = optionalSecret(runner, 'password');
  const username = optional(runner, 'username');
  if (username === undefined && password === undefined) return undefined;
  if (username === undefined) throw new InputError('username', 'is missing: a password was given.');
  if (password === undefined) throw new InputError('password', 'is missing: a username was given.');
  return { username, password };
}

function signing(runner: Runner): Inputs['signing'] {
  const key = optionalSecret(runner, 'sign-key');
  const password = optionalSecret(runner, 'sign-password');
  if (key === undefined && password === undefined) return undefined;
  if (key === undefined) throw new InputError('sign-key', 'is missing: its password was given.');
  if (!/^-----BEGIN ENCRYPTED (SIGSTORE|COSIGN) PRIVATE KEY-----/.test(key)) {
    throw new InputError(
      'sign-key',
      'is no private key of cosign: give the content of cosign.key, which `cosign generate-key-pair` writes.',
    );
  }
  if (password === undefined) throw new InputError('sign-password', 'is missing: a key was given.');
  return { key, password };
}

function tag(value: string, input: string): string {
  if (!/^\w[\w.-]{0,127}$/.test(value)) {
    throw new InputError(
      input,
      `has '${value}', which is no image tag: letters, digits, . _ and -.`,
    );
  }
  if (isReserved(value)) {
    throw new InputError(input, `has '${value}', a tag that is kept for what lies beside images.`);
  }
  return value;
}

function platforms(runner: Runner): string[] {
  const given = lines(runner, 'platforms');
  const wrong = given.find((platform) => !/^linux\/[a-z0-9]+(\/v\d)?$/.test(platform));
  if (wrong) throw new InputError('platforms', `has '${wrong}': give them as linux/amd64.`);
  return given.length > 0 ? given : ['linux/amd64'];
}

function severities(runner: Runner): Severity[] {
  const given = (optional(runner, 'severity') ?? 'CRITICAL,HIGH')
    .split(',')
    .map((part) => part.trim());
  return given.map((word) => {
    const severity = SEVERITIES.find((candidate) => candidate === word.toUpperCase());
    if (!severity)
      throw new InputError('severity', `has '${word}': give some of ${SEVERITIES.join(', ')}.`);
    return severity;
  });
}
