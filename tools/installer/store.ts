import {
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { Pin } from './pins.ts';

/**
 * `$CACHE/store/<name>-<key>/`: one folder for each thing built, complete when the file
 * `<name>-<key>.complete` lies beside it. A killed build leaves a folder without that file,
 * which the next one replaces. Other versions stay, so that changing a branch costs nothing.
 */
export class Store {
  readonly cache: string;
  constructor(cache: string) {
    this.cache = cache;
  }

  path(name: string, key: string): string {
    return join(this.cache, 'store', `${name}-${key}`);
  }

  isComplete(name: string, key: string): boolean {
    return existsSync(`${this.path(name, key)}.complete`);
  }

  /** An empty folder to build in. */
  begin(name: string, key: string): string {
    const folder = this.path(name, key);
    rmSync(`${folder}.complete`, { force: true });
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  complete(name: string, key: string, seconds: number): void {
    writeWhole(`${this.path(name, key)}.complete`, `${JSON.stringify({ seconds })}\n`);
  }
}

/** Where the cache leads to a built folder: link → target, both absolute. */
export function links(cache: string, folder: string, pin: Pin): Map<string, string> {
  const made = new Map<string, string>();
  const each = (names: Record<string, string> | undefined, place: string) => {
    for (const [name, path] of Object.entries(names ?? {})) {
      made.set(join(cache, place, name), join(folder, path));
    }
  };
  each(pin.bin, 'bin');
  each(pin.dockerPlugin, 'docker/cli-plugins');
  if (pin.toolCache) made.set(join(cache, 'tool-cache', pin.toolCache, pin.version, 'x64'), folder);
  if (pin.kind === 'go' && pin.terraformProvider) {
    const place = `terraform-providers/${pin.terraformProvider}/${pin.version}/linux_amd64`;
    made.set(join(cache, place, pin.executable), join(folder, pin.executable));
  }
  return made;
}

/**
 * Makes the links, each in one rename so that a running tool never sees none.
 *
 * @throws Error when a link would lead to nothing: the build gave less than its pin says.
 */
export function link(cache: string, folder: string, pin: Pin): void {
  for (const [path, target] of links(cache, folder, pin)) {
    if (!existsSync(target)) {
      throw new Error(`${relative(cache, target)} was not built; see the pin's paths`);
    }
    mkdirSync(dirname(path), { recursive: true });
    const fresh = `${path}.${process.pid}`;
    symlinkSync(relative(dirname(path), target), fresh);
    renameSync(fresh, path);
    if (path.endsWith('/x64')) writeWhole(`${path}.complete`, '');
  }
}

/** Whether all links lead to this build, and to something that is still there. */
export function isLinked(cache: string, folder: string, pin: Pin): boolean {
  return [...links(cache, folder, pin)].every(
    ([path, target]) =>
      existsSync(path) && existsSync(target) && realpathSync(path) === realpathSync(target),
  );
}

/** Writes a file in one rename, and only when it would change. */
export function writeWhole(path: string, text: string): void {
  if (existsSync(path) && readFileSync(path, 'utf8') === text) return;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.${process.pid}`, text);
  renameSync(`${path}.${process.pid}`, path);
}
