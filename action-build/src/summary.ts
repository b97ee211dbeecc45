import { code, details, elapsed, table, type Verdict, verdict } from '../../lib/report/markdown.ts';
import { countBySeverity, type Finding, SEVERITIES } from './findings.ts';
import type { JudgedImage, Verdicts } from './gate.ts';
import type { Acceptance } from './ignore-file.ts';

/** @param publicKey of what the pushed images are signed with; PEM. */
export function summary({ images, care }: Verdicts, pushed: boolean, publicKey?: string): string {
  const refused = images.filter((image) => image.refusals.length > 0);
  const [kind, sentence]: [Verdict, string] =
    refused.length > 0
      ? ['failed', `${refused.length} of ${images.length} images refused: nothing was pushed`]
      : [
          'passed',
          `${images.length} images ${pushed ? 'scanned and pushed' : 'scanned, not pushed'}`,
        ];
  return [
    verdict(kind, sentence),
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
    ...(publicKey === undefined ? [] : ['', signatures(publicKey)]),
  ].join('\n');
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
