/**
 * The tags that follow from version and branch: `1.4.2` is also `1.4` and `1`, a branch has the
 * tag of its name, unless a release could have that, or it says that staging has proven the image. A
 * pre-release moves no tag but its branch's, and 0.x promises no `0`.
 *
 * @param ref such as `refs/heads/feature/login`, as the runner has it in GITHUB_REF
 */
export function derivedTags(version: string, ref: string): string[] {
  const release = /^v?(\d+)\.(\d+)\.\d+$/.exec(version);
  const [, major = '', minor = ''] = release ?? [];
  const branch = /^refs\/heads\/(.+)$/.exec(ref)?.[1];
  const ofBranch = branch?.replaceAll(/[^\w.-]+/g, '-').replace(/^[.-]+/, '') ?? '';
  return [
    ...(release ? [`${major}.${minor}`] : []),
    ...(release && major !== '0' ? [major] : []),
    ...(isReserved(ofBranch) || /^(v?\d+(\.\d+)*$|proven-)/.test(ofBranch) ? [] : [ofBranch]),
  ]
    .map((tag) => tag.slice(0, 128))
    .filter((tag) => tag !== '');
}

/** Whether a registry has under this tag what lies beside images: layers of builds, provenance, signatures. */
export function isReserved(tag: string): boolean {
  return tag === 'buildcache' || /^sha256-/.test(tag);
}
