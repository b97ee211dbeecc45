import { matchesGlob } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { InputError } from '../../lib/runner/inputs.ts';
import type { Finding } from './findings.ts';

/**
 * Accepted findings, in the format of Trivy's `.trivyignore.yaml` but applied here: Trivy drops
 * expired entries without a word, and takes a mistyped key for "never expires".
 */
export interface Acceptance {
  kind: Finding['kind'];
  id: string;
  /** Globs without a leading slash; empty for everywhere. */
  paths: string[];
  /** Why it may pass. */
  statement: string;
  /** The last day (UTC, YYYY-MM-DD) on which it may; undefined for no end. */
  lastDay: string | undefined;
}

const entry = z.strictObject({
  id: z.string().min(1),
  paths: z.array(z.string().min(1)).default([]),
  statement: z.string().min(1),
  expired_at: z.iso.date().optional(),
});
const entries = z.array(entry).nullish();
const ignoreFile = z.strictObject({
  vulnerabilities: entries,
  misconfigurations: entries,
  secrets: entries,
});

/** @throws InputError that names the file and what is wrong in it */
export function readIgnoreFile(text: string, file: string): Acceptance[] {
  const result = ignoreFile.safeParse(parsed(text, file) ?? {});
  if (!result.success) {
    throw new InputError(
      'ignore-file',
      `names ${file}, which is not valid:\n${z.prettifyError(result.error)}`,
    );
  }
  const of = (kind: Finding['kind'], list: z.infer<typeof entries>) =>
    (list ?? []).map(({ expired_at, paths, ...rest }) => ({
      ...rest,
      kind,
      paths: paths.map((path) => path.replace(/^\//, '')),
      lastDay: expired_at,
    }));
  return [
    ...of('vulnerability', result.data.vulnerabilities),
    ...of('misconfiguration', result.data.misconfigurations),
    ...of('secret', result.data.secrets),
  ];
}

function parsed(text: string, file: string): unknown {
  try {
    return parse(text);
  } catch (cause) {
    throw new InputError('ignore-file', `names ${file}, which is not YAML.`, cause);
  }
}

/** The entry that lets this finding pass today, if there is one. */
export function acceptanceOf(
  finding: Finding,
  acceptances: readonly Acceptance[],
  today: string,
): Acceptance | undefined {
  return acceptances.find((one) => covers(one, finding) && !isExpired(one, today));
}

export interface IgnoreFileCare {
  expired: Acceptance[];
  /** Not expired, and nothing that would refuse an image needs them. */
  unused: Acceptance[];
}

/** What in the file wants its owner's attention. @param findings those that would refuse an image. */
export function careFor(
  acceptances: readonly Acceptance[],
  findings: readonly Finding[],
  today: string,
): IgnoreFileCare {
  return {
    expired: acceptances.filter((one) => isExpired(one, today)),
    unused: acceptances.filter(
      (one) => !isExpired(one, today) && !findings.some((finding) => covers(one, finding)),
    ),
  };
}

function covers(acceptance: Acceptance, { kind, id, path }: Finding): boolean {
  const place = path.replace(/^\//, '');
  return (
    acceptance.kind === kind &&
    acceptance.id === id &&
    (acceptance.paths.length === 0 || acceptance.paths.some((glob) => matchesGlob(place, glob)))
  );
}

/** Days compare as text. */
function isExpired({ lastDay }: Acceptance, today: string): boolean {
  return lastDay !== undefined && lastDay < today;
}
