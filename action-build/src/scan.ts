import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../lib/process/run.ts';
import { scanArgv } from './commands.ts';
import { type Finding, findingsOf, trivyReport } from './findings.ts';
import type { Inputs } from './inputs.ts';
import { onePlatform, platformsOf } from './layout.ts';

export interface ScanContext {
  trivy: string;
  inputs: Pick<Inputs, 'platforms' | 'trivyDatabase' | 'ignoreFile'>;
  /** Where reports are kept. */
  reports: string;
  temp: string;
  env: NodeJS.ProcessEnv;
  cancelled: AbortSignal;
}

/**
 * Scans every platform of a layout.
 *
 * @throws Error when there is no database, the scanner failed, or its report is not of the
 * platform that was asked for: no scan means no image.
 */
export async function scan(name: string, layout: string, context: ScanContext): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [platform, digest] of platformsOf(layout, context.inputs.platforms)) {
    const slug = `${name}-${platform.replaceAll('/', '-')}`;
    const report = join(context.reports, `${slug}.json`);
    await run(
      scanArgv({
        trivy: context.trivy,
        layout: onePlatform(layout, digest, join(context.temp, `scan-${slug}`)),
        cache: cacheFor(slug, context),
        report,
        offline: context.inputs.trivyDatabase !== undefined,
        ignoreFile: context.inputs.ignoreFile,
      }),
      { env: context.env, signal: context.cancelled, timeoutMs: 15 * 60_000 },
    );
    const result = trivyReport.parse(JSON.parse(readFileSync(report, 'utf8')));
    const scanned = result.Metadata.ImageConfig.architecture;
    if (scanned !== platform.split('/')[1]) {
      throw new Error(`Trivy looked at ${scanned} when it was asked for ${platform} of ${name}.`);
    }
    findings.push(...findingsOf(result, platform));
  }
  return findings;
}

/** Trivy's cache takes one process at a time, so each scan has its own copy of the databases. */
function cacheFor(slug: string, { inputs, temp }: ScanContext): string {
  const cache = join(temp, `trivy-${slug}`);
  mkdirSync(cache, { recursive: true });
  if (inputs.trivyDatabase === undefined) return cache;
  for (const part of ['db', 'java-db']) {
    const source = join(inputs.trivyDatabase, part);
    if (!existsSync(join(source, 'metadata.json'))) {
      throw new Error(
        `No vulnerability database at ${source}: without one nothing can pass. Check 'trivy-database'.`,
      );
    }
    cpSync(source, join(cache, part), { recursive: true });
  }
  return cache;
}

/** Everything but what the scanner has no business with: its own settings, and any secret. */
export function scannerEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const allowed = [
    'PATH',
    'HOME',
    'TMPDIR',
    'HTTPS_PROXY',
    'HTTP_PROXY',
    'NO_PROXY',
    'SSL_CERT_FILE',
  ];
  return Object.fromEntries(allowed.flatMap((key) => (env[key] ? [[key, env[key]]] : [])));
}
