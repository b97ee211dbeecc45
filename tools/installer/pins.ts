import { readFileSync } from 'node:fs';

/** What every pin can say: where its executables shall be found. Paths are in the built folder. */
interface Common {
  version: string;
  /** Names of pins that must be there first. */
  after?: string[];
  /** A folder of the runner's tool cache, `<toolCache>/<version>/x64`. */
  toolCache?: string;
  /** Links in `$CACHE/bin`: name → path. */
  bin?: Record<string, string>;
  /** Plugins of the docker client: name → path. */
  dockerPlugin?: Record<string, string>;
}

/** Built from the Go module in `go/<name>`, whose go.sum holds the hashes. */
export interface GoPin extends Common {
  kind: 'go';
  /** `.` for the module's own main.go. */
  package: string;
  executable: string;
  /** The version as the module has it, where that is not `v<version>`. */
  moduleVersion?: string;
  /** Strings set at link time: variable → value. */
  variables?: Record<string, string>;
  /** GOEXPERIMENT. */
  experiment?: string;
  /** Address of a Terraform provider: it is put in the file system mirror. */
  terraformProvider?: string;
}

/** The machine's own when its hash is right, else the vendor's archive. */
export interface TerraformPin extends Common {
  kind: 'terraform';
  source: string;
  executableSha256: string;
}

/** A virtual environment from a requirements file with hashes. */
export interface PythonPin extends Common {
  kind: 'python';
  requirements: string;
  collections?: { requirements: string; names: string[] };
}

/** Flyway's archive from Maven Central, of which the part for PostgreSQL is kept. */
export interface FlywayPin extends Common {
  kind: 'flyway';
  artifact: string;
  sha256: string;
}

/** Packages of the machine; Debian keeps one version of each, so there is none to pin. */
export interface DebianPin extends Common {
  kind: 'debian';
  packages: DebianPackage[];
}

export interface DebianPackage {
  package: string;
  /** The package is there when this command is. */
  command: string;
  /** Units that installing it would have started at every boot. */
  services?: string[];
}

/** The npm dependencies of this checkout. */
export interface ProjectPin extends Common {
  kind: 'project';
}

/** `tools/<name>/build`, run when its folder has changed. */
export interface ScriptPin extends Common {
  kind: 'script';
  /** Files outside its folder that it is built from as well. */
  inputs?: string[];
  /** What must be in the cache after it. */
  provides: string[];
}

export type Pin = GoPin | TerraformPin | PythonPin | FlywayPin | DebianPin | ProjectPin | ScriptPin;

export type Pins = ReadonlyMap<string, Pin>;

const REQUIRED: Record<Pin['kind'], readonly string[]> = {
  go: ['package', 'executable'],
  terraform: ['source', 'executableSha256'],
  python: ['requirements'],
  flyway: ['artifact', 'sha256'],
  debian: ['packages'],
  project: [],
  script: ['provides'],
};

/**
 * Reads pins.json.
 *
 * @throws Error that names the pin and what is wrong with it: an unknown kind, a missing
 * field, or an `after` that points nowhere or back to itself.
 */
export function parsePins(text: string): Pins {
  const pins = new Map(Object.entries(JSON.parse(text) as Record<string, Pin>));
  for (const [name, pin] of pins) {
    const required = REQUIRED[pin.kind];
    if (required === undefined) {
      throw new Error(`pin ${name}: kind "${pin.kind}" is none of ${Object.keys(REQUIRED)}`);
    }
    for (const field of ['version', ...required]) {
      if (!(field in pin)) throw new Error(`pin ${name}: "${field}" is missing`);
    }
    refuseCycle(pins, name, []);
  }
  return pins;
}

function refuseCycle(pins: Pins, name: string, path: readonly string[]): void {
  if (path.includes(name)) {
    throw new Error(`pin ${name}: it comes after itself (${[...path, name].join(' → ')})`);
  }
  const pin = pins.get(name);
  if (pin === undefined) throw new Error(`pin ${path.at(-1)}: there is no "${name}" to come after`);
  for (const earlier of pin.after ?? []) refuseCycle(pins, earlier, [...path, name]);
}

/** @throws Error as parsePins does, or when the file cannot be read. */
export function readPins(file: string): Pins {
  return parsePins(readFileSync(file, 'utf8'));
}

/**
 * The pins that are asked for and all that they come after, in the file's order.
 *
 * @throws Error for a name that no pin has.
 */
export function select(pins: Pins, names: readonly string[]): Pins {
  if (names.length === 0) return pins;
  const wanted = new Set<string>();
  const want = (name: string): void => {
    const pin = pins.get(name);
    if (pin === undefined) {
      throw new Error(`--only ${name}: no such pin; there are ${[...pins.keys()].join(', ')}`);
    }
    wanted.add(name);
    for (const earlier of pin.after ?? []) want(earlier);
  };
  for (const name of names) want(name);
  return new Map([...pins].filter(([name]) => wanted.has(name)));
}
