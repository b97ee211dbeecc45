import { parseEnvFile } from './compose.ts';
import type { Host } from './host.ts';
import { currentLink } from './layout.ts';
import { fingerprint, type Manifest } from './manifest.ts';
import { type HostPlan, isEmpty, planHost } from './plan.ts';
import { absentImages } from './preflight.ts';
import { note, type Tell } from './progress.ts';
import { changedSecrets, type Secrets } from './secrets.ts';
import { leaderOf, type Standing, standingsOf } from './standing.ts';
import { buildRelease, type Release, type Wanted } from './target.ts';

/** What a release would change on one host. */
export interface HostPreview {
  host: string;
  plan: HostPlan;
  /** Unified differences of the files, against those of the release that is current there. */
  differences: { file: string; difference: string }[];
  /** Secrets that are new or differ, as `service/name`. */
  secrets: string[];
  /** Images that would be fetched. */
  images: string[];
}

export interface Preview {
  release: string;
  version: string;
  hosts: HostPreview[];
}

/** Whether a container or a host's place in the rotation would change. */
export function wouldChange({ hosts }: Preview): boolean {
  return hosts.some(({ plan }) => !isEmpty(plan));
}

/** What a deploy would change, host by host; nothing is locked, pulled or written. */
export async function preview(hosts: readonly Host[], wanted: Wanted): Promise<Preview> {
  const standings = await standingsOf(hosts);
  const release = buildRelease(wanted, leaderOf(standings)?.current);
  return previewRelease(standings, release, wanted.secrets);
}

/** Tells the log what is about to change, service by service, and every difference of the files. */
export function tellPreview({ hosts }: Preview, tell: Tell): void {
  for (const { host, plan, differences } of hosts) {
    const say = (line: string): void => note(tell, host, line);
    if (plan.edge !== 'keep') say(`caddy: ${plan.edge}`);
    for (const { service, from, to, steps } of plan.services) {
      if (steps.length > 0) say(`${service}: ${from || 'none'} → ${to || 'none'}`);
    }
    for (const { file, difference } of differences) {
      say(`${file}:`);
      for (const line of difference.trimEnd().split('\n')) say(`  ${line}`);
    }
  }
}

/** What it would change to bring every host to a release. */
export async function previewRelease(
  standings: readonly Standing[],
  release: Release,
  secrets: Secrets = {},
): Promise<Preview> {
  return {
    release: release.manifest.release,
    version: release.manifest.version,
    hosts: await Promise.all(standings.map((each) => previewHost(each, release, secrets))),
  };
}

async function previewHost(
  { host, current }: Standing,
  { manifest, files }: Release,
  secrets: Secrets,
): Promise<HostPreview> {
  const [env, compose, caddyfile, state, changed] = await Promise.all([
    host.content(`${currentLink}/.env`),
    against(host, 'compose.yml', files.compose),
    against(host, 'caddy/Caddyfile', files.caddyfile),
    host.state(),
    changedSecrets(host, secrets),
  ]);
  const now = parseEnvFile(env ?? '');
  const then = parseEnvFile(files.env);
  const hide = hider(now, then);
  const differences = [
    { file: 'compose.yml', difference: hide(compose) },
    { file: '.env', difference: envDifference(now, then) },
    { file: 'Caddyfile', difference: hide(caddyfile) },
  ];
  const plan = planHost(state, manifest, current);
  return {
    host: host.name,
    plan,
    differences: differences.filter(({ difference }) => difference !== ''),
    secrets: changed,
    images: await absentImages(host, startedImages(plan, manifest)),
  };
}

function startedImages({ edge, services }: HostPlan, target: Manifest): string[] {
  const started = services.filter(({ steps }) => steps.some(({ kind }) => kind === 'start'));
  const images = started.flatMap(({ service }) => target.services[service]?.image ?? []);
  return edge === 'keep' ? images : images.concat(target.edge.image);
}

/** The host's own diff, so that its file stays there; '' when nothing differs. */
async function against(host: Host, path: string, content: string): Promise<string> {
  const script = `[ -e "$1" ] || set -- /dev/null "$2"
exec diff -u --label "now" --label "then" "$1" -`;
  const words = ['sh', '-c', script, 'diff', `${currentLink}/${path}`, path];
  const { code, stdout, stderr } = await host.read(words, { input: content, allowFailure: true });
  if (code === 0 || code === 1) return stdout;
  throw new Error(`${host.name} cannot compare ${path}: ${stderr.trim()}`);
}

/** Names whose value nobody is shown. */
const secretive = /PASSWORD|SECRET|TOKEN|CREDENTIAL|PRIVATE|(^|_)(KEY|PASS)($|_)/;

/** One line for each variable that comes, goes or changes. */
export function envDifference(now: Record<string, string>, then: Record<string, string>): string {
  const shown = (sign: string, name: string, value: string | undefined): string[] =>
    value === undefined ? [] : [`${sign}${name}=${secretive.test(name) ? hidden(value) : value}\n`];
  return [...new Set([...Object.keys(now), ...Object.keys(then)])]
    .sort()
    .filter((name) => now[name] !== then[name])
    .flatMap((name) => [...shown('-', name, now[name]), ...shown('+', name, then[name])])
    .join('');
}

/** Tells one value from another without saying either. */
const hidden = (value: string): string => `(hidden, ${fingerprint(value).slice(0, 6)})`;

/** Hides the values of secretive variables wherever a template put them. */
function hider(...variables: Record<string, string>[]): (text: string) => string {
  const values = variables
    .flatMap(Object.entries)
    .filter(([name, value]) => secretive.test(name) && value !== '')
    .map(([, value]) => value);
  return (text) => values.reduce((rest, value) => rest.replaceAll(value, hidden(value)), text);
}
