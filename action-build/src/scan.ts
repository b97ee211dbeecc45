import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../lib/process/run.ts';
import { openAnalysis } from './analysis.ts';
import { wholeOf } from './base-layers.ts';
import { SECRET_RULES, scanArgv } from './commands.ts';
import { PARTS } from './database.ts';
import {
  type Finding,
  findingsOf,
  isSecretInConfiguration,
  trivyReport,
  unknownSystem,
} from './findings.ts';
import { alter, isWhole, missingFrom, onePlatform, platformsOf } from './layout.ts';
import type { oneAtATime } from './parallel.ts';
import { convertReport, type ReportFolders, removeConfiguration } from './reports.ts';

export interface ScanContext {
  trivy: string;
  platforms: readonly string[];
  reports: ReportFolders;
  /** Trivy's cache folder with its databases. */
  cache: string;
  /** What it knew of layers before this run, see {@link analysisFile}. */
  analysis: string | undefined;
  /** By slug, what it says of a file that it could not read: the next run has to try again. */
  readInPart: Map<string, string>;
  /** The cache folder takes one process at a time. */
  turn: ReturnType<typeof oneAtATime>;
  temp: string;
  /** Where the scanner runs, see {@link openHome}: in `temp` lies the login. */
  home: string;
  env: NodeJS.ProcessEnv;
  cancelled: AbortSignal;
}

/**
 * Scans every platform of a layout, one after another.
 *
 * @throws Error when the scanner failed, its report is not of the platform that was asked for, or
 * it has no advisories for what the image is made of: no scan means no image.
 */
export async function scan(name: string, layout: string, context: ScanContext): Promise<Finding[]> {
  const findings: Finding[] = [];
  const platforms = platformsOf(layout, context.platforms);
  const missing = missingFrom(platforms.keys(), context.platforms);
  if (missing.length > 0) {
    throw new Error(
      `${name} is not made for ${missing.join(', ')}: leave that out of 'platforms', or build the image for it first.`,
    );
  }
  for (const [platform, digest] of platforms) {
    const slug = slugOf(name, platform);
    const report = join(context.reports.json, `${slug}.json`);
    const log = await withCache(layout, slug, context, (cache) =>
      look(layout, digest, { slug, report }, { ...context, cache }),
    ).catch((cause: unknown) => {
      throw new Error(`${name} for ${platform} could not be scanned, so it cannot pass.`, {
        cause,
      });
    });
    const result = trivyReport.parse(JSON.parse(readFileSync(report, 'utf8')));
    const found = findingsOf(result, platform, log);
    if (found.some(isSecretInConfiguration)) removeConfiguration(report);
    const scanned = result.Metadata.ImageConfig.architecture;
    if (scanned !== platform.split('/')[1]) {
      throw new Error(`Trivy looked at ${scanned} when it was asked for ${platform} of ${name}.`);
    }
    const system = unknownSystem(result);
    if (system !== undefined) {
      throw new Error(
        `Trivy has no advisories for ${system}, of which ${name} for ${platform} is made, so it cannot pass: take another base image.`,
      );
    }
    await convertReport(context.trivy, slug, context.reports, optionsOf(context));
    findings.push(...found);
  }
  return findings;
}

/**
 * A layout without its layers adds nothing to what Trivy knows: it needs a copy of that, and no turn.
 */
async function withCache<T>(
  layout: string,
  slug: string,
  { cache, analysis, temp, turn }: ScanContext,
  work: (cache: string) => Promise<T>,
): Promise<T> {
  if (isWhole(layout)) return turn(() => work(cache));
  const copy = join(temp, `known-${slug}`);
  mkdirSync(copy);
  for (const part of PARTS) symlinkSync(join(cache, part), join(copy, part));
  openAnalysis(analysis, copy);
  return work(copy).finally(() => rmSync(copy, { recursive: true }));
}

/** @returns what Trivy says in its log */
async function look(
  layout: string,
  digest: string,
  { slug, report }: { slug: string; report: string },
  context: ScanContext,
): Promise<string> {
  const { trivy, cache, temp } = context;
  const at = (place: string) => onePlatform(layout, digest, join(temp, `${place}-${slug}`));
  const read = async (argv: readonly string[]) => {
    const { stderr } = await run(argv, optionsOf(context));
    refuseBrokenIndex(stderr);
    const told = unreadIn(stderr);
    if (told !== undefined) context.readInPart.set(slug, told);
    return stderr;
  };
  const whole = at('whole');
  if (alter(whole, wholeOf)) {
    const aside = join(temp, `whole-${slug}.json`);
    const argv = scanArgv({ trivy, layout: whole, cache, report: aside, layersOnly: true });
    await read(argv);
  }
  return read(scanArgv({ trivy, layout: at('scan'), cache, report }));
}

/** Of a Java index that is empty or came in half Trivy says nothing aloud: it leaves out each jar that it looks up. */
function refuseBrokenIndex(log: string): void {
  const told = /^.*: select error: .*$/m.exec(log)?.[0];
  if (told === undefined) return;
  const remedy = "run this job again, or check 'trivy-database'";
  throw new Error(`Trivy's java-db cannot be read: ${remedy}.\n${told}`);
}

/** The first thing in Trivy's log that it could not read, and so did not judge. */
export function unreadIn(log: string): string | undefined {
  const words =
    /^\S+\t[A-Z]+\t(.*\b(?:[Aa]nalysis error|Walk error|Parse error|Failed to parse)\b.*)$/m;
  return words.exec(log)?.[1];
}

function optionsOf({ env, home, cancelled }: ScanContext) {
  return { env, signal: cancelled, cwd: home, timeoutMs: 15 * 60_000 };
}

/** "auth-service-linux-amd64": the name of an image's reports for one platform. */
export function slugOf(name: string, platform: string): string {
  return `${name}-${platform.replaceAll('/', '-')}`;
}

/** A home with nothing but our own rules in it. */
export function openHome(home: string): void {
  mkdirSync(home);
  writeFileSync(join(home, SECRET_RULES.name), JSON.stringify(SECRET_RULES.content));
}

/**
 * What the scanner gets: no secret, no setting, and an empty home, as Trivy would load modules
 * and registry logins from there.
 */
export function scannerEnvironment(env: NodeJS.ProcessEnv, home: string): NodeJS.ProcessEnv {
  const allowed = ['PATH', 'TMPDIR', 'HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY', 'SSL_CERT_FILE'];
  // Proxies go by either case, and most set-ups have the lower one alone.
  const kept = Object.entries(env).filter(([key]) => allowed.includes(key.toUpperCase()));
  return { ...Object.fromEntries(kept), HOME: home };
}
