import { code, details, elapsed, table, type Verdict, verdict } from '../../lib/report/markdown.ts';
import { countBySeverity, type Finding, SEVERITIES } from './findings.ts';
import type { JudgedImage, Verdicts } from './gate.ts';
import type { Acceptance } from './ignore-file.ts';

/**
 * @param pushed names of the images that were; undefined when none was to be
 * @param publicKey of what the pushed images are signed with; PEM.
 */
export function summary(
  { images, care }: Verdicts,
  pushed: readonly string[] | undefined,
  publicKey?: string,
): string {
  const refused = images.filter((image) => image.refusals.length > 0);
  return [
    verdict(...verdictOn(images.length, refused.length, pushed)),
    '',
    table(['image', 'verdict', 'findings', 'digest', 'time'], images.map(row)),
    ...refused.flatMap((image) => [
      '',
      `#### Why ${image.name} was refused`,
      '',
      reasons(image.refusals),
    ]),
    ...acceptedPart(images),
    ...unfixedPart(images),
    ...entriesPart('expired, and let nothing pass any more', care.expired),
    ...entriesPart('not needed: nothing was found for them', care.unused),
    ...(refused.length === 0 ? ['', digests(images)] : []),
    ...(publicKey === undefined || !pushed?.length ? [] : ['', signatures(publicKey)]),
  ].join('\n');
}

function verdictOn(
  count: number,
  refused: number,
  pushed: readonly string[] | undefined,
): [Verdict, string] {
  if (refused > 0) return ['failed', `${refused} of ${count} images refused: nothing was pushed`];
  if (pushed === undefined) return ['passed', `${count} images scanned, not pushed`];
  if (pushed.length === count) return ['passed', `${count} images scanned and pushed`];
  const names = pushed.length === 0 ? '' : ` (${pushed.join(', ')})`;
  return ['failed', `${count} images scanned, and ${pushed.length} of them pushed${names}`];
}

/** "log4j-core 2.14.1 has CVE-2021-44228 (CRITICAL), fixed in 2.15.0". */
export function sentenceOf(finding: Finding): string {
  const fix = finding.fixedIn ? `, fixed in ${finding.fixedIn}` : '';
  return `${finding.subject} has ${finding.id} (${finding.severity})${fix}`;
}

function row(image: JudgedImage): string[] {
  const counts = countBySeverity(image.findings);
  const shown = SEVERITIES.flatMap((level) =>
    counts[level] ? [`${counts[level]} ${level.toLowerCase()}`] : [],
  );
  return [
    image.name,
    image.refusals.length > 0 ? '❌ refused' : '✅ passed',
    shown.join(', ') || 'none',
    `\`${image.digest.slice(0, 19)}…\`${image.unchanged ? ' unchanged' : ''}`,
    elapsed(image.milliseconds),
  ];
}

function reasons(findings: readonly Finding[]): string {
  return table(
    ['severity', 'what', 'where', 'fixed in', 'platform'],
    findings.map((finding) => [
      finding.severity,
      `${finding.id} ${finding.title}`.trim(),
      finding.subject,
      finding.fixedIn ?? 'no fix yet',
      finding.platform,
    ]),
  );
}

function acceptedPart(images: readonly JudgedImage[]): string[] {
  const rows = images.flatMap(({ name, accepted }) =>
    accepted.map(({ finding, acceptance }) => [
      name,
      `${finding.id} (${finding.severity})`,
      finding.subject,
      acceptance.statement,
      acceptance.lastDay ?? 'no end',
    ]),
  );
  if (rows.length === 0) return [];
  return ['', '#### Accepted', '', table(['image', 'what', 'where', 'why', 'until'], rows)];
}

/** Why an image with a severe finding passed all the same. */
function unfixedPart(images: readonly JudgedImage[]): string[] {
  const names = new Map<string, Set<string>>();
  for (const { name, unfixed } of images) {
    for (const finding of unfixed) {
      const sentence = sentenceOf(finding);
      names.set(sentence, (names.get(sentence) ?? new Set()).add(name));
    }
  }
  if (names.size === 0) return [];
  const rows = [...names].map(([sentence, where]) => [sentence, [...where].join(', ')]);
  return ['', '#### Not fixed by anybody yet', '', table(['what', 'where'], rows)];
}

function entriesPart(what: string, entries: readonly Acceptance[]): string[] {
  if (entries.length === 0) return [];
  const named = entries.map(({ id, lastDay }) => `${id}${lastDay ? ` (until ${lastDay})` : ''}`);
  return ['', `Entries of the ignore file that are ${what}: ${named.join(', ')}.`];
}

function digests(images: readonly JudgedImage[]): string {
  return details('Digests', code(images.map(({ name, digest }) => `${name}@${digest}`).join('\n')));
}

function signatures(publicKey: string): string {
  const verify = 'cosign verify --key cosign.pub --insecure-ignore-tlog REGISTRY/NAME@DIGEST';
  const how = `# cosign.pub\n${publicKey.trim()}\n\n${verify}`;
  return details('Signed: how to verify', code(how));
}
