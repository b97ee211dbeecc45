import {
  type ComposeFile,
  configFingerprint,
  containerEnvironment,
  envFile,
  neededVariables,
  variablePrefix,
} from './compose.ts';
import { type Component, type Manifest, releaseId } from './manifest.ts';

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
}

/** A release with the files that go to every host. */
export interface Release {
  manifest: Manifest;
  files: { compose: string; env: string; edgeEnv: string; caddyfile: string };
}

/**
 * Merges what is wanted onto what is current, so that no deploy undoes another team's.
 * @throws Error naming the image or variable that nobody gave.
 */
export function buildRelease(wanted: Wanted, current: Manifest | undefined): Release {
  const { compose, variables } = wanted;
  const unknown = Object.keys(wanted.images).filter((name) => !compose.order.includes(name));
  if (unknown.length > 0) {
    throw new Error(
      `images names ${unknown.join(', ')}, which the Compose file does not have; ` +
        `it has ${compose.order.join(', ')}.`,
    );
  }
  const services: Record<string, Component> = {};
  for (const service of compose.order) {
    services[service] = component(service, wanted, current?.services[service]);
  }
  const edge = {
    image: variables.CADDY_IMAGE ?? '',
    config: configFingerprint(compose.edge, variables, wanted.caddyfile),
  };
  const { order, versionPaths } = compose;
  const content = { services, edge, compose: compose.text, variables };
  const release = releaseId(wanted.version, content);
  const env: Record<string, string> = {
    ...variables,
    COMPTA_RELEASE: release,
    CADDY_CONFIG: edge.config,
  };
  for (const [service, { image, version, config }] of Object.entries(services)) {
    const prefix = variablePrefix(service);
    env[`${prefix}_IMAGE`] = image;
    env[`${prefix}_VERSION`] = version;
    env[`${prefix}_CONFIG`] = config;
  }
  const missing = neededVariables(compose.text).filter((name) => !env[name]);
  if (missing.length > 0) {
    throw new Error(
      `The Compose file asks for ${missing.join(', ')}: give ${missing.length === 1 ? 'it' : 'them'} ` +
        'in `variables`.',
    );
  }
  return {
    manifest: {
      release,
      version: wanted.version,
      environment: wanted.environment,
      services,
      order,
      versionPaths,
      edge,
      createdAt: new Date().toISOString(),
    },
    files: {
      compose: compose.text,
      env: envFile(env),
      // For `docker run --env-file`, which takes values as they are, quotes included.
      edgeEnv: Object.entries(containerEnvironment(compose.edge, variables))
        .map(([name, value]) => `${name}=${value}\n`)
        .join(''),
      caddyfile: wanted.caddyfile,
    },
  };
}

function component(service: string, wanted: Wanted, current: Component | undefined): Component {
  const config = configFingerprint(wanted.compose.definitions[service], wanted.variables);
  const image = wanted.images[service] ?? current?.image;
  if (image === undefined) {
    throw new Error(
      `${service} has never been released to ${wanted.environment} and \`images\` does not name it: ` +
        'the first deploy needs an image for every service.',
    );
  }
  // A service keeps its version with its image: what does not change is not touched.
  const kept = current !== undefined && current.image === image;
  return { image, version: kept ? current.version : wanted.version, config };
}

/** The newest of the releases that hosts have as current; hosts that differ are brought together. */
export function newestOf(manifests: readonly (Manifest | undefined)[]): Manifest | undefined {
  return manifests
    .filter((manifest) => manifest !== undefined)
    .sort((x, y) => (x.createdAt < y.createdAt ? 1 : -1))[0];
}
