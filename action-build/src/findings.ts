import { z } from 'zod';

/** What Trivy found in one image, and whether it may pass. Decided here, not by exit codes. */

export const SEVERITIES = ['CRITICAL', 'HIGH', 'MEDIUM', 'LOW', 'UNKNOWN'] as const;
export type Severity = (typeof SEVERITIES)[number];

export interface Finding {
  kind: 'vulnerability' | 'secret' | 'misconfiguration';
  severity: Severity;
  /** CVE, or the rule's id. */
  id: string;
  title: string;
  /** The package with its version, or the file. */
  subject: string;
  /** The file in the image that it was found in; '' where Trivy names none. */
  path: string;
  /** The version that mends it; undefined when there is none yet. */
  fixedIn: string | undefined;
  platform: string;
}

export interface Policy {
  severities: readonly Severity[];
  ignoreUnfixed: boolean;
}

const severity = z.enum(SEVERITIES).catch('UNKNOWN');
/** The part of Trivy's JSON report that decides; `Results` is null for an empty image. */
export const trivyReport = z.object({
  ArtifactName: z.string(),
  Metadata: z.object({
    OS: z
      .object({
        Family: z.string(),
        Name: z.string().default(''),
        /** Whether its support has ended. */
        EOSL: z.boolean().default(false),
      })
      .optional(),
    ImageConfig: z.object({
      architecture: z.string(),
      config: z.object({ User: z.string().optional() }).optional(),
    }),
  }),
  Results: z
    .array(
      z.object({
        Target: z.string(),
        Class: z.string().optional(),
        Vulnerabilities: z
          .array(
            z.object({
              VulnerabilityID: z.string(),
              PkgName: z.string(),
              PkgPath: z.string().default(''),
              InstalledVersion: z.string(),
              FixedVersion: z.string().optional(),
              Severity: severity,
              Title: z.string().default(''),
            }),
          )
          .optional(),
        Secrets: z
          .array(
            z.object({ RuleID: z.string(), Severity: severity, Title: z.string().default('') }),
          )
          .optional(),
        Misconfigurations: z
          .array(z.object({ ID: z.string(), Severity: severity, Title: z.string().default('') }))
          .optional(),
      }),
    )
    .nullish(),
});
export type TrivyReport = z.infer<typeof trivyReport>;

/** @param log Trivy's own, of the same scan */
export function findingsOf(report: TrivyReport, platform: string, log = ''): Finding[] {
  const results = (report.Results ?? []).flatMap((result) => [
    ...(result.Vulnerabilities ?? []).map(
      (found): Finding => ({
        kind: 'vulnerability',
        severity: found.Severity,
        id: found.VulnerabilityID,
        title: found.Title,
        subject: `${found.PkgName} ${found.InstalledVersion}`,
        // Of a Go or Rust binary, or a lock file, only the target is a file's name.
        path: found.PkgPath || (result.Class === 'lang-pkgs' ? result.Target : ''),
        fixedIn: found.FixedVersion || undefined,
        platform,
      }),
    ),
    ...(result.Secrets ?? []).map(
      (found): Finding => ({
        kind: 'secret',
        severity: found.Severity,
        id: found.RuleID,
        title: found.Title,
        ...placeOf(result.Target, report),
        fixedIn: undefined,
        platform,
      }),
    ),
    ...(result.Misconfigurations ?? []).map(
      (found): Finding => ({
        kind: 'misconfiguration',
        severity: found.Severity,
        id: found.ID,
        title: found.Title,
        ...placeOf(result.Target, report),
        fixedIn: undefined,
        platform,
      }),
    ),
  ]);
  return [
    ...results,
    ...rootUser(report, platform),
    ...endedSystem(report, platform),
    ...unreadHistory(log, platform),
  ].sort(bySeverity);
}

/** The distribution whose packages Trivy left alone without a word, as it knows no advisories for it. */
export function unknownSystem({ Metadata: { OS }, Results }: TrivyReport): string | undefined {
  const isLookedAt = Results?.some(({ Class }) => Class === 'os-pkgs');
  return OS === undefined || isLookedAt ? undefined : `${OS.Family} ${OS.Name}`;
}

const CONFIGURATION = 'image configuration';

/** A variable that is named like a secret, and where none is looked for. */
const OF_SECRETS = ['DS-0031', 'unread-history'];

/** Whether there is, or may be, a secret in the image's variables, labels, command or history. */
export function isSecretInConfiguration({ kind, id, subject }: Finding): boolean {
  return subject === CONFIGURATION && (kind === 'secret' || OF_SECRETS.includes(id));
}

/** Trivy names the image's own configuration by the folder scanned, which nobody knows. */
export function isConfiguration(
  target: string,
  { ArtifactName }: Pick<TrivyReport, 'ArtifactName'>,
): boolean {
  return target.startsWith(ArtifactName);
}

function placeOf(target: string, report: TrivyReport): Pick<Finding, 'subject' | 'path'> {
  return isConfiguration(target, report)
    ? { subject: CONFIGURATION, path: '' }
    : { subject: target, path: target };
}

/** Trivy misses this one silently for images without build history, so it is looked at here. */
function rootUser(report: TrivyReport, platform: string): Finding[] {
  const user = report.Metadata.ImageConfig.config?.User ?? '';
  const told = (report.Results ?? []).some((result) =>
    result.Misconfigurations?.some(({ ID }) => ID === 'DS-0002'),
  );
  if (told || !['', '0', 'root'].includes(user.split(':')[0] ?? '')) return [];
  return [misconfiguration('DS-0002', 'The image runs as root: give it a USER', platform)];
}

/** Trivy says so in its log alone: of a hole that was found since, there is no advisory. */
function endedSystem({ Metadata: { OS } }: TrivyReport, platform: string): Finding[] {
  if (!OS?.EOSL) return [];
  const title = `${OS.Family} ${OS.Name} has no more advisories: take a newer base image`;
  return [misconfiguration('end-of-support', title, platform)];
}

/**
 * Trivy makes a Dockerfile of the image's history, which has a plain heredoc's lines as they are, and looks for no
 * misconfiguration in one that it cannot parse. One without instructions has none.
 */
function unreadHistory(log: string, platform: string): Finding[] {
  const unread = /\[dockerfile scanner\] Failed to parse (?!.*file with no instructions)/;
  if (!unread.test(log)) return [];
  const title = 'Trivy cannot read its history: write `RUN sh <<EOF` for a plain `RUN <<EOF`';
  return [misconfiguration('unread-history', title, platform)];
}

function misconfiguration(id: string, title: string, platform: string): Finding {
  return {
    kind: 'misconfiguration',
    severity: 'HIGH',
    id,
    title,
    subject: CONFIGURATION,
    path: '',
    fixedIn: undefined,
    platform,
  };
}

/**
 * Those that refuse the image, and those that would if anybody had mended them yet. A secret is one however
 * severe Trivy takes its kind for.
 */
export function sortOut(
  findings: readonly Finding[],
  { severities, ignoreUnfixed }: Policy,
): { refusals: Finding[]; unfixed: Finding[] } {
  const isWaived = ({ kind, fixedIn }: Finding) =>
    ignoreUnfixed && kind === 'vulnerability' && !fixedIn;
  const severe = findings.filter(
    ({ kind, severity }) => kind === 'secret' || severities.includes(severity),
  );
  return {
    refusals: severe.filter((finding) => !isWaived(finding)),
    unfixed: severe.filter(isWaived),
  };
}

export function countBySeverity(findings: readonly Finding[]): Partial<Record<Severity, number>> {
  const counts: Partial<Record<Severity, number>> = {};
  for (const { severity: level } of findings) counts[level] = (counts[level] ?? 0) + 1;
  return counts;
}

function bySeverity(a: Finding, b: Finding): number {
  return (
    SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity) || a.id.localeCompare(b.id)
  );
}
