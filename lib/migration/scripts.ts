import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { unzipSync } from 'fflate';
import { extract } from 'tar';
import { z } from 'zod';
import { run } from '../process/run.ts';
import { dockerConfig } from '../registry/login.ts';

/** Where the scripts come from. */
export type ScriptSource =
  | {
      from: 'image';
      /** `name@sha256:…` */
      reference: string;
      login: { username: string; password: string } | undefined;
    }
  /** The image of the service that is released now. */
  | { from: 'current'; login: { username: string; password: string } | undefined }
  | { from: 'folder'; path: string };

/** Where Spring Boot's Flyway looks, inside a plain jar and inside an executable one. */
const MIGRATIONS = /^(?:BOOT-INF\/classes\/)?db\/migration\/([^/]+\.sql(?:\.conf)?)$/;

/** BuildKit's layer of nothing, however compressed, which a reader of tar archives takes for a broken one. */
const EMPTY_LAYER = 'sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef';

/**
 * The folder with the scripts. From an image they come out of the service's own jar, so that
 * what runs is what is released, whatever a checkout says.
 *
 * @throws Error when the image cannot be read or its jars hold no script.
 */
export async function scriptsFolder(
  scripts: Exclude<ScriptSource, { from: 'current' }>,
  temp: string,
  cancelled: AbortSignal,
): Promise<string> {
  if (scripts.from === 'folder') return scripts.path;
  const layout = join(temp, 'image');
  await run(
    [
      'skopeo',
      'copy',
      ...authentication(scripts, temp),
      `docker://${scripts.reference}`,
      `oci:${layout}:scripts`,
    ],
    { signal: cancelled, timeoutMs: 10 * 60_000 },
  );
  const folder = await scriptsOf(layout, temp);
  if (readdirSync(folder).length === 0) {
    throw new Error(`${scripts.reference} holds no db/migration/*.sql: is it the right image?`);
  }
  return folder;
}

/** The folder with the scripts of an OCI image layout; empty when its jars hold none. */
export async function scriptsOf(layout: string, temp: string): Promise<string> {
  const jars = join(temp, 'jars');
  const folder = join(temp, 'scripts');
  for (const name of [jars, folder]) mkdirSync(name);
  for (const layer of layersOf(layout)) await applyLayer(layer, jars);
  for (const path of jarsBelow(jars)) {
    const found = unzipSync(readFileSync(join(jars, path)), {
      filter: ({ name }) => MIGRATIONS.test(name),
    });
    for (const [name, content] of Object.entries(found)) {
      writeFileSync(join(folder, basename(name)), content);
    }
  }
  return folder;
}

function authentication(
  { reference, login }: Extract<ScriptSource, { from: 'image' }>,
  temp: string,
): string[] {
  if (!login) return [];
  const file = join(temp, 'registry.json');
  const [registry = ''] = reference.split('/');
  writeFileSync(file, dockerConfig({ registry, ...login }), { mode: 0o600 });
  return ['--src-authfile', file];
}

const named = z.object({ digest: z.string() });
const index = z.object({ manifests: z.array(named).min(1) });
const manifest = z.object({ config: named, layers: z.array(named).min(1) });
const config = z.object({ rootfs: z.object({ diff_ids: z.array(z.string()) }) });

function layersOf(layout: string): string[] {
  const blob = ({ digest }: z.infer<typeof named>) => join(layout, 'blobs', ...digest.split(':'));
  const read = (file: string) => JSON.parse(readFileSync(file, 'utf8')) as unknown;
  const [image] = index.parse(read(join(layout, 'index.json'))).manifests;
  const { layers, ...of } = manifest.parse(read(blob(image ?? { digest: '' })));
  // What each layer is when it is unpacked, in the same order.
  const unpacked = config.parse(read(blob(of.config))).rootfs.diff_ids;
  return layers.filter((_, i) => unpacked[i] !== EMPTY_LAYER).map(blob);
}

const REMOVED = '.wh.';

/** A later layer replaces a jar, or takes it away by an empty file `.wh.<name>`. */
async function applyLayer(layer: string, jars: string): Promise<void> {
  await extract({ file: layer, cwd: jars, filter: isServiceJar, strict: false });
  for (const path of jarsBelow(jars)) {
    if (!basename(path).startsWith(REMOVED)) continue;
    rmSync(join(jars, path));
    rmSync(join(jars, dirname(path), basename(path).slice(REMOVED.length)), { force: true });
  }
}

function jarsBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.jar'),
  );
}

/** Libraries bring migrations of their own (Quartz, Spring Batch): they are not ours to run. */
function isServiceJar(path: string): boolean {
  return path.endsWith('.jar') && !/(^|\/)lib\//.test(path);
}
