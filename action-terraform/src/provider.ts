import { StepFailed } from './failure.ts';

const OLDEST = [1, 58];

/** The version of the hcloud provider that a dependency lock file fixes. */
export function hcloudVersion(lockFile: string): string | undefined {
  const block = /^provider "[^"]*hetznercloud\/hcloud" \{$([\s\S]*?)^\}$/m.exec(lockFile)?.[1];
  return /^\s*version\s*=\s*"([^"]+)"/m.exec(block ?? '')?.[1];
}

/** @throws StepFailed 'provider-refused' before anything of an old provider is run */
export function refuseOldProvider(lockFile: string): void {
  const version = hcloudVersion(lockFile);
  if (version === undefined) return;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = OLDEST;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  throw new StepFailed(
    'provider-refused',
    `The lock file fixes hcloud ${version}. Before ${OLDEST.join('.')} the provider reads a server's ` +
      "place from 'datacenter', which Hetzner's API no longer sends, so it plans to replace every " +
      "server. Ask for '>= 1.58.0' and run 'terraform init -upgrade'.",
  );
}
