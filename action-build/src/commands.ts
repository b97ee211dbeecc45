import type { ImageSource, Inputs } from './inputs.ts';

/** The argument vectors of the three programs; nothing secret is ever among them. */

export interface Labels {
  revision: string;
  source: string;
  created: string;
}

/**
 * Builds one image into an OCI layout folder: what Trivy reads is what is pushed.
 *
 * BuildKit's own provenance would add `unknown/unknown` platforms that registries show as
 * broken images (docker/build-push-action#755), so it is left off.
 */
export function buildArgv(
  image: ImageSource,
  inputs: Pick<Inputs, 'platforms' | 'version'>,
  labels: Labels,
  layout: string,
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
    `--output=type=oci,tar=false,dest=${layout},rewrite-timestamp=true`,
    ...(image.file ? ['--file', image.file] : []),
    ...(image.target ? ['--target', image.target] : []),
    ...Object.entries(image.buildArgs).flatMap(([key, value]) => [
      '--build-arg',
      `${key}=${value}`,
    ]),
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
  cache: string;
  report: string;
  /** A database that is there already: no download, no version check, no network at all. */
  offline: boolean;
  ignoreFile: string | undefined;
}

/** Exit code for findings stays 0: the decision is ours. 1 means that Trivy itself failed. */
export function scanArgv(scan: Scan): string[] {
  return [
    scan.trivy,
    'image',
    '--input',
    scan.layout,
    '--format',
    'json',
    '--output',
    scan.report,
    '--cache-dir',
    scan.cache,
    '--scanners',
    'vuln,secret',
    '--image-config-scanners',
    'misconfig',
    '--skip-version-check',
    '--disable-telemetry',
    '--skip-vex-repo-update',
    '--skip-check-update',
    '--no-progress',
    // A trivy.yaml, .trivyignore or trivy-secret.yaml of the checkout must not decide.
    '--config',
    '/dev/null',
    '--ignorefile',
    scan.ignoreFile ?? '/dev/null',
    '--secret-config',
    '/nonexistent/trivy-secret.yaml',
    ...(scan.offline ? ['--skip-db-update', '--skip-java-db-update', '--offline-scan'] : []),
  ];
}

/** Copies the layout's own bytes, all platforms, keeping every digest. */
export function pushArgv(
  layout: string,
  reference: string,
  authFile: string | undefined,
): string[] {
  const auth = authFile ? ['--dest-authfile', authFile] : [];
  return [
    'skopeo',
    'copy',
    '--all',
    '--preserve-digests',
    ...auth,
    `oci:${layout}`,
    `docker://${reference}`,
  ];
}
