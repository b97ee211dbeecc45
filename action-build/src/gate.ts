import { type Finding, type Policy, sortOut } from './findings.ts';
import { type Acceptance, acceptanceOf, careFor, type IgnoreFileCare } from './ignore-file.ts';

export interface ScannedImage {
  name: string;
  digest: string;
  /** What its label says: the version that it was built as. */
  version: string;
  findings: Finding[];
  /** Its digest was in the registry before: it was taken from there, or differs in labels only. */
  unchanged: boolean;
  /** Build and scan together. */
  milliseconds: number;
}

/** A finding that would refuse the image, and the entry that lets it pass. */
export interface Accepted {
  finding: Finding;
  acceptance: Acceptance;
}

export interface JudgedImage extends ScannedImage {
  refusals: Finding[];
  accepted: Accepted[];
  /** Severe, and let pass as nobody has mended them yet (`ignore-unfixed`). */
  unfixed: Finding[];
}

export interface Verdicts {
  images: JudgedImage[];
  /** No image was refused; one that is refuses them all. */
  passed: boolean;
  care: IgnoreFileCare;
}

/** Decides which images may pass on the day `today` (UTC, YYYY-MM-DD). */
export function judge(
  images: readonly ScannedImage[],
  policy: Policy & { acceptances: readonly Acceptance[] },
  today: string,
): Verdicts {
  const refusing: Finding[] = [];
  const judged = images.map((image): JudgedImage => {
    const accepted: Accepted[] = [];
    const { refusals, unfixed } = sortOut(image.findings, policy);
    refusing.push(...refusals);
    const refused = refusals.filter((finding) => {
      const acceptance = acceptanceOf(finding, policy.acceptances, today);
      if (acceptance) accepted.push({ finding, acceptance });
      return acceptance === undefined;
    });
    return { ...image, refusals: refused, accepted, unfixed };
  });
  return {
    images: judged,
    passed: judged.every((image) => image.refusals.length === 0),
    care: careFor(policy.acceptances, refusing, today),
  };
}
