import { createHash } from 'node:crypto';
import {
  type ComposeFile,
  configFingerprint,
  containerEnvironment,
  envFile,
  neededVariables,
  parseEnvFile,
  variablePrefix,
} from './compose.ts';
import { type Component, type Manifest, releaseId } from './manifest.ts';
import { type Secrets, secretsFingerprint } from './secrets.ts';

/** What a deploy brings: some or all services of an environment. */
export interface Wanted {
  environment: string;
  version: string;
  /** Service → `repository@sha256:…`; services left out keep what they have. */
  images: Record<string, string>;
  compose: ComposeFile;
  caddyfile: string;
  /** Values for the Compose file's `${NAME}`. */
  variables: Record<string, string>;
  /** Secrets that are put in place with it; a service left out keeps what lies there. */
  secrets: Secrets;
}

/** A release with the files that go to every host. */
export interface Release {
  manifest: Manifest;
  files: { compose: string; env: string; edgeEnv: string; caddyfile: string };
}

/** What is wrong with what is wanted, whatever runs already. */
export interface Mistake {
  input: 'images' | 'secrets' | 'variables';
  /** A sentence that begins with the input's name. */
  problem: string;
}

export function mistakeIn(wanted: Wanted): Mistake | undefined {
  const { compose, variables } = wanted;
  for (const input of ['images', 'secrets'] as const) {
    const unknown = Object.keys(wanted[input]).filter((name) => !compose.order.includes(name));
    if (unknown.length === 0) continue;
    const has = `it has ${compose.order.join(', ')}.`;
    const problem = `names ${unknown.join(', ')}, which the Compose file does not have; ${has}`;
    return { input, problem };
  }
  const missing = neededVariables(compose.text).filter(
    (name) => !variables[name] && !isOwn(name, compose.order),
  );
  if (missing.length > 0) {
    const problem = `lacks ${missing.join(', ')}, which the Compose file asks for.`;
    return { input: 'variables', problem };
  }
  // Caddy gets its environment by a file with a line for each.
  const edge = Object.entries(containerEnvironment(compose.edge, variables));
  const [broken] = edge.find(([, value]) => value.includes('\n')) ?? [];
  if (broken === undefined) return undefined;
  return { input: 'variables', problem: `gives Caddy's ${broken} more than one line.` };
}

/**
 * Merges what is wanted onto what is current, so that no deploy undoes another team's.
 * @throws Error naming the image or variable that nobody gave.
 */
export function buildRelease(wanted: Wanted, current: Manifest | undefined): Release {
  const { compose, variables } = wanted;
  const mistake = mistakeIn(wanted);
  if (mistake !== undefined) throw new Error(`${mistake.input} ${mistake.problem}`);
  refuseOtherEnvironment(wanted.environment, current);
  refuseToEndInPassing(wanted, current);
  const services: Record<string, Component> = {};
  for (const service of compose.order) {
    services[service] = component(service, wanted, current?.services[service]);
  }
  const edge = {
    image: variables.CADDY_IMAGE ?? '',
    config: configFingerprint(compose.edge, variables, wanted.caddyfile),
    caddyfile: createHash('sha256').update(wanted.caddyfile).digest('hex'),
  };
  const { environment, version, caddyfile } = wanted;
  const { order, versionPaths } = compose;
  const parts = { environment, version, services, order, versionPaths, edge };
  // For `docker run --env-file`, which takes values as they are, quotes included.
  const edgeEnv = Object.entries(containerEnvironment(compose.edge, variables))
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
  return assemble(parts, variables, { compose: compose.text, edgeEnv, caddyfile });
}

/** Servers of one environment are not given what is meant for another, whose addresses were taken. */
export function refuseOtherEnvironment(environment: string, current: Manifest | undefined): void {
  if (current === undefined || current.environment === environment) return;
  throw new Error(
    `These servers run ${current.release} of ${current.environment}, not ${environment}: check ` +
      '`environment` and where the servers come from (`terraform-outputs` or `hosts`).',
  );
}

/**
 * A service that the Compose file has no more is ended by a release of all the others. A release of
 * some, as a service's own repository makes it, only has a Compose file that is older than the other's.
 */
function refuseToEndInPassing(
  { environment, compose, images }: Wanted,
  current: Manifest | undefined,
): void {
  const gone = Object.keys(current?.services ?? {}).filter((name) => !compose.order.includes(name));
  if (gone.length === 0 || compose.order.every((service) => service in images)) return;
  throw new Error(
    `${environment} runs ${gone.join(', ')}, which the Compose file does not have: take a newer one ` +
      '(in a repository of its own, pin a newer commit of this suite). If it is meant to end, release ' +
      'all other services at once.',
  );
}

/** The current release with other images of some services: what a rollback of these alone brings. */
export function withComponents(
  { manifest, files }: Release,
  earlier: Record<string, Component>,
): Release {
  const services = { ...manifest.services };
  for (const [service, { image, version }] of Object.entries(earlier)) {
    // Its configuration stays that of today, as other services' files do.
    services[service] = { ...(services[service] as Component), image, version };
  }
  const variables = Object.fromEntries(
    Object.entries(parseEnvFile(files.env)).filter(([name]) => !isOwn(name, manifest.order)),
  );
  const versions = [...new Set(Object.values(earlier).map(({ version }) => version))];
  const parts = { ...manifest, services, version: versions.join('-') };
  return assemble(parts, variables, files);
}

/** What a release adds to the variables that it was given. */
function ownVariables(release: string, { services, edge }: Pick<Manifest, 'services' | 'edge'>) {
  const env: Record<string, string> = { COMPTA_RELEASE: release, CADDY_CONFIG: edge.config };
  for (const [service, { image, version, config }] of Object.entries(services)) {
    const prefix = variablePrefix(service);
    env[`${prefix}_IMAGE`] = image;
    env[`${prefix}_VERSION`] = version;
    env[`${prefix}_CONFIG`] = config;
  }
  return env;
}

function isOwn(name: string, services: readonly string[]): boolean {
  const none = { image: '', version: '', config: '' };
  const all = Object.fromEntries(services.map((service) => [service, none]));
  return name in ownVariables('', { services: all, edge: none });
}

function assemble(
  parts: Omit<Manifest, 'release' | 'createdAt'>,
  variables: Record<string, string>,
  { compose, edgeEnv, caddyfile }: Omit<Release['files'], 'env'>,
): Release {
  const { services, edge } = parts;
  const release = releaseId(parts.version, { services, edge, compose, variables });
  const env = envFile({ ...variables, ...ownVariables(release, parts) });
  return {
    manifest: { ...parts, release, createdAt: new Date().toISOString() },
    files: { compose, env, edgeEnv, caddyfile },
  };
}

function component(service: string, wanted: Wanted, current: Component | undefined): Component {
  const given = wanted.secrets[service];
  const secrets = given === undefined ? current?.secrets : secretsFingerprint(service, given);
  const definition = wanted.compose.definitions[service];
  const config = configFingerprint(definition, wanted.variables, secrets);
  const image = wanted.images[service] ?? current?.image;
  if (image === undefined) {
    throw new Error(
      `${service} has never been released to ${wanted.environment} and \`images\` does not name it: ` +
        'the first deploy needs an image for every service.',
    );
  }
  // A service keeps its version with its image: what does not change is not touched.
  const kept = current !== undefined && current.image === image;
  const version = kept ? current.version : wanted.version;
  return { image, version, config, ...(secrets !== undefined && { secrets }) };
}
