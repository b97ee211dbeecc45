import type { ImageSource } from './inputs.ts';

/** The argument vectors of the three programs; nothing secret is ever among them. */

/**
 * An OCI layout folder, reproducible: what Trivy reads is what is pushed. Most of it are jars, which are
 * compressed: gzip's fastest level takes a third of the time for a tenth more of the other bytes.
 */
export function layoutOutput(folder: string): string {
  return `type=oci,tar=false,dest=${folder},rewrite-timestamp=true,compression-level=1`;
}

/**
 * Builds one image.
 *
 * BuildKit's own provenance would add `unknown/unknown` platforms that registries show as
 * broken images (docker/build-push-action#755), so it is left off.
 */
export function buildArgv(
  image: ImageSource,
  platforms: readonly string[],
  labels: Readonly<Record<string, string>>,
  output: string,
  cache: readonly string[],
): string[] {
  return [
    'docker',
    'buildx',
    'build',
    '--platform',
    platforms.join(','),
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
    ...Object.entries(labels).flatMap(([name, value]) => ['--label', `${name}=${value}`]),
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
 * What the scanner's folder has for it: Trivy passes over whole folders where a key may well lie. What comes
 * with a system (`/usr/share` and the like) is left to it.
 */
export const SECRET_RULES = {
  /** Trivy passes over a file of this name at the root of an image, too. */
  name: 'compta-secret-rules.yaml',
  content: {
    'disable-allow-rules': ['tests', 'examples', 'vendor', 'locale-dir', 'markdown', 'dist-info'],
  },
};

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
    ...['--ignorefile', '/dev/null', '--secret-config', SECRET_RULES.name],
    ...['--skip-db-update', '--skip-java-db-update', '--offline-scan'],
    ...['--skip-check-update', '--skip-vex-repo-update', '--skip-version-check'],
    // It says in debugging only which files it could not read.
    ...['--disable-telemetry', '--no-progress', '--debug'],
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

/** Copies an image, all platforms: a layout's own bytes, or what the registry has by another name. */
export function copyArgv(
  { from, to }: { from: string; to: string },
  authFile: string | undefined,
): string[] {
  return [...COPY, ...(authFile ? ['--authfile', authFile] : []), from, to];
}
