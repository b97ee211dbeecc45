import type { ImageSource, Inputs } from './inputs.ts';

/** The argument vectors of the three programs; nothing secret is ever among them. */

export interface Labels {
  revision: string;
  source: string;
  created: string;
}

/** An OCI layout folder, reproducible: what Trivy reads is what is pushed. */
export function layoutOutput(folder: string): string {
  return `type=oci,tar=false,dest=${folder},rewrite-timestamp=true`;
}

/**
 * Builds one image.
 *
 * BuildKit's own provenance would add `unknown/unknown` platforms that registries show as
 * broken images (docker/build-push-action#755), so it is left off.
 */
export function buildArgv(
  image: ImageSource,
  inputs: Pick<Inputs, 'platforms' | 'version'>,
  labels: Labels,
  output: string,
  cache: readonly string[],
): string[] {
  const label = (name: string, value: string) => [
    '--label',
    `org.opencontainers.image.${name}=${value}`,
  ];
  return [
    'docker',
    'buildx',
    'build',
    '--platform',
    inputs.platforms.join(','),
    '--provenance=false',
    '--progress=plain',
    `--output=${output}`,
    ...cache,
    ...(image.file ? ['--file', image.file] : []),
    ...(image.target ? ['--target', image.target] : []),
    // An empty one would replace the Dockerfile's default; it is a variable that nobody has set.
    ...Object.entries(image.buildArgs).flatMap(([key, value]) =>
      value === '' ? [] : ['--build-arg', `${key}=${value}`],
    ),
    ...label('title', image.name),
    ...label('version', inputs.version),
    ...label('revision', labels.revision),
    ...label('source', labels.source),
    ...label('created', labels.created),
    image.context,
  ];
}

export interface Scan {
  trivy: string;
  /** An OCI layout folder whose index holds exactly the one platform. */
  layout: string;
  /** Trivy's cache folder, with its databases. */
  cache: string;
  report: string;
  /** Only the layers are looked at, for the sake of a scan to come. */
  layersOnly?: boolean;
}

/**
 * A trivy.yaml of the checkout must not decide; nor must Trivy's own limit of five minutes, in which
 * the database of Java does not come over a slow line: who runs it has limits.
 */
const UNSWAYED = ['--config', '/dev/null', '--timeout', '1h', '--cache-dir'] as const;

/**
 * No network, and nothing ignored: what may pass is decided in code. The exit code for findings
 * stays 0; 1 means that Trivy itself failed.
 */
export function scanArgv({ trivy, layout, cache, report, layersOnly }: Scan): string[] {
  return [
    ...[trivy, 'image', ...UNSWAYED, cache, '--input', layout],
    ...['--format', 'json', '--output', report],
    ...['--scanners', 'vuln,secret'],
    ...(layersOnly ? [] : ['--image-config-scanners', 'misconfig']),
    ...['--ignorefile', '/dev/null', '--secret-config', '/nonexistent/trivy-secret.yaml'],
    ...['--skip-db-update', '--skip-java-db-update', '--offline-scan'],
    ...['--skip-check-update', '--skip-vex-repo-update', '--skip-version-check'],
    ...['--disable-telemetry', '--no-progress'],
  ];
}

/** Fetches one of Trivy's databases; a mirror has both under their usual names. */
export function databaseArgv(
  trivy: string,
  part: 'db' | 'java-db',
  cache: string,
  mirror: string | undefined,
): string[] {
  const [only, option, name] =
    part === 'db'
      ? ['--download-db-only', '--db-repository', 'trivy-db:2']
      : ['--download-java-db-only', '--java-db-repository', 'trivy-java-db:1'];
  return [
    ...[trivy, 'image', ...UNSWAYED, cache, only],
    ...(mirror ? [option, `${mirror}/${name}`] : []),
    ...['--skip-version-check', '--disable-telemetry', '--no-progress'],
  ];
}

export function convertArgv(
  trivy: string,
  format: 'sarif' | 'cyclonedx' | 'spdx-json',
  output: string,
  report: string,
): string[] {
  return [
    trivy,
    'convert',
    '--config',
    '/dev/null',
    '--format',
    format,
    '--output',
    output,
    report,
  ];
}

/** Reads a manifest, or an image's configuration, byte for byte. */
export function inspectArgv(
  reference: string,
  config: boolean,
  authFile: string | undefined,
): string[] {
  const auth = authFile ? ['--authfile', authFile] : [];
  const what = config ? ['--config'] : [];
  return ['skopeo', 'inspect', '--raw', ...what, ...auth, `docker://${reference}`];
}

/** Keeps every digest, and tries again where a registry is busy or hangs up: bytes by digest double nothing. */
const COPY = ['skopeo', 'copy', '--all', '--preserve-digests', '--retry-times', '3'] as const;

/** Copies the layout's own bytes, all platforms. */
export function pushArgv(
  layout: string,
  reference: string,
  authFile: string | undefined,
): string[] {
  const auth = authFile ? ['--dest-authfile', authFile] : [];
  return [...COPY, ...auth, `oci:${layout}`, `docker://${reference}`];
}

/** The other way round: an image of the registry into a layout, all platforms. */
export function takeArgv(
  reference: string,
  layout: string,
  authFile: string | undefined,
): string[] {
  const auth = authFile ? ['--src-authfile', authFile] : [];
  return [...COPY, ...auth, `docker://${reference}`, `oci:${layout}`];
}
