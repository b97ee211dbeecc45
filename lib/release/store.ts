import { z } from 'zod';
import type { Host } from './host.ts';
import * as layout from './layout.ts';
import { type Manifest, parseManifest } from './manifest.ts';
import type { Release } from './target.ts';

const historySchema = z.object({
  at: z.string(),
  action: z.enum(['deploy', 'rollback', 'automatic-rollback', 'converge']),
  release: z.string(),
  version: z.string(),
  /** Release that was current before; '' for the first. */
  previous: z.string(),
  /** Release that this took back. */
  undoes: z.string().optional(),
  by: z.string(),
  run: z.string(),
  reason: z.string().optional(),
  seconds: z.number(),
});
/** One line of `history.jsonl`. */
export type HistoryEntry = z.infer<typeof historySchema>;

/** Makes the folders that a release needs, with the owners that the containers need. */
export async function prepareFolders(host: Host, services: readonly string[]): Promise<void> {
  const user = layout.serviceUser;
  const script = `set -eu
install -d -m 0755 ${layout.root} ${layout.root}/releases ${layout.root}/caddy
install -d -m 0755 ${layout.caddy.configuration} ${layout.root}/caddy/state ${layout.caddy.assets}
install -d -m 0700 -o ${user} -g ${user} ${layout.root}/caddy/admin ${layout.root}/caddy/data
[ -d ${layout.root}/secrets ] || install -d -m 0755 ${layout.root}/secrets
for service; do
  [ -d ${layout.root}/secrets/$service ] ||
    install -d -m 0500 -o ${user} -g ${user} ${layout.root}/secrets/$service
done`;
  await host.change(['sh', '-c', script, 'folders', ...services]);
}

/** Writes a release's folder; what is there already under this name has the same content. */
export async function writeRelease(host: Host, { manifest, files }: Release): Promise<void> {
  const folder = layout.releaseFolder(manifest.release);
  await host.change(['install', '-d', '-m', '0755', folder, `${folder}/caddy`]);
  await Promise.all([
    host.write(`${folder}/compose.yml`, files.compose, '0644'),
    host.write(`${folder}/.env`, files.env, '0600'),
    host.write(`${folder}/edge.env`, files.edgeEnv, '0644'),
    host.write(`${folder}/caddy/Caddyfile`, files.caddyfile, '0644'),
  ]);
  // Last: a folder with a manifest is complete.
  await host.write(`${folder}/manifest.json`, `${JSON.stringify(manifest, null, 2)}\n`, '0644');
}

/**
 * Puts the page's assets where Caddy serves those of every kept release: out of the images whose
 * label `compta.assets` names a folder. On every host before the first swap on one, so that a page
 * finds its assets whichever host answers, before, during and after the roll.
 */
export async function keepAssets(host: Host, { services }: Manifest): Promise<void> {
  const images = Object.values(services).map((service) => service.image);
  const script = `set -eu
for image; do
  folder=${layout.caddy.assets}/\${image##*:}
  [ ! -d "$folder" ] || continue
  labels='{{with .Config.Labels}}{{index . "compta.assets"}}{{end}}'
  assets=$(docker image inspect -f "$labels" "$image")
  [ -n "$assets" ] || continue
  rm -rf "$folder.new"
  install -d -m 0755 "$folder.new/assets"
  docker rm -f compta-assets >/dev/null 2>&1 || true
  docker create --name compta-assets "$image" none >/dev/null
  docker cp "compta-assets:$assets/." "$folder.new/assets" >/dev/null
  docker rm compta-assets >/dev/null
  chmod -R a+rX "$folder.new"
  mv "$folder.new" "$folder"
done`;
  await host.change(['sh', '-c', script, 'assets', ...images], { timeoutMs: 180_000 });
}

/** The release that a host's `current` names; `undefined` before the first. */
export async function currentRelease(host: Host): Promise<Manifest | undefined> {
  const path = `${layout.currentLink}/manifest.json`;
  const text = await host.content(path);
  return text === undefined ? undefined : parseManifest(text, `${host.name}:${path}`);
}

/** The manifests of all releases whose files are here. */
export async function keptReleases(host: Host): Promise<Map<string, Manifest>> {
  const script = `for manifest in ${layout.root}/releases/*/manifest.json; do
  [ -e "$manifest" ] && cat "$manifest" && printf '\\036'
done; true`;
  const { stdout } = await host.read(['sh', '-c', script]);
  const texts = stdout.split('\x1e').filter((text) => text.trim() !== '');
  const manifests = texts.map((text) => parseManifest(text, `A manifest on ${host.name}`));
  return new Map(manifests.map((manifest) => [manifest.release, manifest]));
}

/** A kept release with its files, or `undefined`. */
export async function readRelease(host: Host, release: string): Promise<Release | undefined> {
  const folder = layout.releaseFolder(release);
  const names = ['manifest.json', 'compose.yml', '.env', 'edge.env', 'caddy/Caddyfile'];
  const [manifest, ...files] = await Promise.all(
    names.map((name) => host.content(`${folder}/${name}`)),
  );
  const [compose, env, edgeEnv, caddyfile] = files;
  if (manifest === undefined || compose === undefined || env === undefined) return undefined;
  if (edgeEnv === undefined || caddyfile === undefined) return undefined;
  return {
    manifest: parseManifest(manifest, `${host.name}:${folder}/manifest.json`),
    files: { compose, env, edgeEnv, caddyfile },
  };
}

/** Gives a host the files of a release unless it has them. @returns whether it lacked them. */
export async function giveRelease(host: Host, release: Release): Promise<boolean> {
  if ((await readRelease(host, release.manifest.release)) !== undefined) return false;
  await prepareFolders(host, release.manifest.order);
  await writeRelease(host, release);
  await keepAssets(host, release.manifest);
  return true;
}

/** What was released here, oldest first. */
export async function readHistory(host: Host): Promise<HistoryEntry[]> {
  const text = (await host.content(layout.historyFile)) ?? '';
  return text.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return [];
    try {
      return historySchema.parse(JSON.parse(line));
    } catch (cause) {
      throw new Error(
        `Line ${index + 1} of ${layout.historyFile} on ${host.name} is no entry: remove it there, if ` +
          'it is but a part of one.',
        { cause },
      );
    }
  });
}

/** A history, and of another what happened at moments that it does not know. */
export function withOwn(
  known: readonly HistoryEntry[],
  own: readonly HistoryEntry[],
): HistoryEntry[] {
  const moments = new Set(known.map(({ at }) => at));
  const alone = own.filter(({ at }) => !moments.has(at));
  return [...known, ...alone].sort((x, y) => (x.at < y.at ? -1 : 1));
}

async function writeHistory(host: Host, history: readonly HistoryEntry[]): Promise<void> {
  const lines = history.map((entry) => `${JSON.stringify(entry)}\n`).join('');
  await host.write(layout.historyFile, lines, '0644');
}

/**
 * Gives a host that was away or is new what another knows: history, schema, services' secrets. What it
 * knows alone stays: it may have been the only one there at a release.
 */
export async function copyState(from: Host, to: Host): Promise<void> {
  const [known, own] = await Promise.all([readHistory(from), readHistory(to)]);
  await writeHistory(to, withOwn(known, own));
  const schema = await from.content(layout.schemaFile);
  if (schema !== undefined) await to.write(layout.schemaFile, schema, '0644');
  const pack = `tar -C ${layout.root}/secrets -cf - . | base64 -w 0`;
  const { stdout } = await from.read(['sh', '-c', pack]);
  const unpack = `base64 -d | tar -C ${layout.root}/secrets --numeric-owner -xpf -`;
  await to.change(['sh', '-c', unpack], { input: stdout });
}

const journalSchema = z.object({
  release: z.string(),
  /** Release that this takes back. */
  undoes: z.string().optional(),
  token: z.number(),
});

/**
 * What a run has begun here and not ended, and the token of its lease. Whoever asks under a lease of their own
 * learns of a run that ended in the middle.
 */
export async function begun(host: Host): Promise<z.infer<typeof journalSchema> | undefined> {
  const text = await host.content(layout.journalFile);
  return text === undefined ? undefined : journalSchema.parse(JSON.parse(text));
}

/**
 * Makes a release the current one and closes the journal. History comes first: a current release
 * that it does not know has none before it to go back to. So does the audit log: a run that is killed
 * after the link has nothing to record again.
 */
export async function record(host: Host, release: string, entry: HistoryEntry): Promise<void> {
  const link = `ln -sfn "releases/$1" ${layout.currentLink}.new && mv -T ${layout.currentLink}.new ${layout.currentLink}`;
  // There already when its connection broke after that and it is done again.
  if (!(await readHistory(host)).some(({ at }) => at === entry.at)) {
    await host.append(layout.historyFile, JSON.stringify(entry));
    await audit(host, entry.by, `${entry.action} ${release}`, entry.run, entry.reason);
  }
  await host.change(['sh', '-c', link, 'current', release]);
  await closeJournal(host);
}

/** Says that nothing is under way on the host any more. */
export async function closeJournal(host: Host): Promise<void> {
  await host.change(['rm', '-f', layout.journalFile, layout.ballastFile]);
}

/** Holds space for the way back, should the disk fill up before the release is through. */
export async function holdBallast(host: Host): Promise<void> {
  await host.change(['fallocate', '-l', '16M', layout.ballastFile]);
}

export async function dropBallast(host: Host): Promise<void> {
  await host.change(['rm', '-f', layout.ballastFile]);
}

/** One line in the audit log: when, who, what, from where, why. */
export async function audit(
  host: Host,
  by: string,
  what: string,
  run: string,
  reason = '',
): Promise<void> {
  const at = new Date().toISOString();
  await host.append(layout.auditFile, JSON.stringify({ at, by, what, run, reason }));
}

/**
 * Removes old releases' folders, and images (with their assets) that no kept release and no
 * container needs.
 * @param keep releases that stay, among them what a rollback would go to.
 */
export async function prune(host: Host, keep: readonly string[]): Promise<void> {
  const script = `cd ${layout.root}/releases || exit
for folder in *; do
  kept=no
  for release; do [ "$folder" = "$release" ] && kept=yes; done
  [ "$kept" = yes ] && continue
  # Without a manifest it is no release any more; who is killed here leaves the next one its list.
  [ ! -e "$folder/manifest.json" ] || mv "$folder/manifest.json" "$folder/pruned.json"
  images=$(sed -n 's/.*"image": "\\([^"]*@sha256:[0-9a-f]*\\)".*/\\1/p' "$folder/pruned.json" 2>/dev/null)
  for image in $images; do
    grep -qsF "\\"$image\\"" ./*/manifest.json && continue
    rm -rf "${layout.caddy.assets}/\${image##*:}"
    docker image rm "$image" >/dev/null 2>&1 || true
  done
  rm -rf "./$folder"
done`;
  await host.change(['sh', '-c', script, 'prune', ...keep], { timeoutMs: 300_000 });
}
