import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Build } from './build.ts';
import { absent, installDebian } from './debian.ts';
import { buildFlyway } from './flyway.ts';
import { buildGo } from './go.ts';
import { inputs, key } from './key.ts';
import type { Log } from './log.ts';
import type { Pin } from './pins.ts';
import { installProject, isProjectCurrent } from './project.ts';
import { buildPython } from './python.ts';
import { isLinked, link, type Store } from './store.ts';
import { buildTerraform } from './terraform.ts';

/** How a pin becomes something on this machine. */
export interface Work {
  /** Whether it is there already; asked before anything is started. */
  isCurrent(): boolean;
  install(log: Log): Promise<void>;
}

export interface Places {
  checkout: string;
  tools: string;
  store: Store;
}

/** @throws Error when a file that the pin is built from is not there. */
export function workFor(name: string, pin: Pin, places: Places): Work {
  switch (pin.kind) {
    case 'debian':
      return {
        isCurrent: () => absent(pin.packages).length === 0,
        install: (log) => installDebian(absent(pin.packages), log.exec),
      };
    case 'project':
      return {
        isCurrent: () => isProjectCurrent(places.checkout),
        install: (log) => installProject(places.checkout, log.exec),
      };
    default:
      return stored(name, pin, places);
  }
}

type StoredPin = Exclude<Pin, { kind: 'debian' | 'project' }>;

/** What is built once for its key and kept in the store. */
function stored(name: string, pin: StoredPin, { tools, store }: Places): Work {
  const id = key(pin, inputs(tools, name, pin));
  const folder = store.path(name, id);
  const { cache } = store;
  const provided = () =>
    pin.kind !== 'script' || pin.provides.every((path) => existsSync(join(cache, path)));
  const isBuilt = () => store.isComplete(name, id) && provided();
  return {
    isCurrent: () => isBuilt() && isLinked(cache, folder, pin),
    async install({ exec }) {
      if (!isBuilt()) {
        const start = performance.now();
        await build(name, pin, { folder: store.begin(name, id), tools, cache, exec });
        if (!provided())
          throw new Error(`tools/${name}/build ended without making all it provides`);
        link(cache, folder, pin);
        store.complete(name, id, Math.round((performance.now() - start) / 1000));
      }
      link(cache, folder, pin);
    },
  };
}

function build(name: string, pin: StoredPin, into: Build): Promise<unknown> {
  switch (pin.kind) {
    case 'go':
      return buildGo(name, pin, into);
    case 'terraform':
      return buildTerraform(pin, into);
    case 'python':
      return buildPython(pin, into);
    case 'flyway':
      return buildFlyway(pin, into);
    case 'script':
      return into.exec([join(into.tools, name, 'build')]);
  }
}
