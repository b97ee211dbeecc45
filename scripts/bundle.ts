/**
 * Builds every action's bundle: `node scripts/bundle.ts [action-…]`.
 *
 * Two steps, because ncc's own TypeScript loader refuses imports that carry `.ts`:
 * tsc writes JavaScript to .build/, ncc makes one file of it and its dependencies.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { run } from '../lib/process/run.ts';

const root = resolve(import.meta.dirname, '..');
/** One per process, so that two builds do not meet; ncc runs inside it, so that no bundle names it. */
const build = join(root, '.build', String(process.pid));

/** What a bundle may consist of: anything else (native files, text) is a dependency gone wrong. */
const ALLOWED = /(\.js|\.json)$/;

/** ssh2's WebAssembly asks for its folder the CommonJS way, which an ES module does not have. */
const COMMONJS_NAMES =
  'const __dirname = import.meta.dirname;\nconst __filename = import.meta.filename;\n';

/**
 * @actions/core brings a client for OIDC tokens, which no action asks for, and with it undici: most of a
 * small bundle, and of its start. What is loaded when it is wanted has a core of its own.
 */
const NO_OIDC = `export class OidcClient {
  static async getIDToken() {
    throw new Error('This bundle has no client for OIDC tokens.');
  }
}
`;

interface Entry {
  source: string;
  output: string;
}

/** main and, where there is something to undo, post; the command line has one entry. */
export function entriesOf(folder: string): Entry[] {
  const name = (file: string) => (file === 'index' ? 'main' : file);
  return ['index', 'post']
    .filter((file) => existsSync(join(root, folder, 'src', `${file}.ts`)))
    .map((file) => ({
      source: join(folder, 'src', `${file}.js`),
      output: join(folder, 'dist', name(file)),
    }));
}

export function bundledFolders(): string[] {
  return [...readdirSync(root).filter((name) => name.startsWith('action-')), 'cli']
    .filter((folder) => entriesOf(folder).length > 0)
    .sort();
}

async function compile(): Promise<void> {
  await run(['npx', 'tsc', '-p', 'tsconfig.build.json', '--outDir', build], { cwd: root });
  cpSync(join(root, 'package.json'), join(build, 'package.json'));
  const core = 'node_modules/@actions/core';
  cpSync(join(root, core), join(build, core), { recursive: true });
  writeFileSync(join(build, core, 'lib/oidc-utils.js'), NO_OIDC);
}

async function bundle({ source, output }: Entry): Promise<string> {
  const target = join(root, output);
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  await run(['npx', 'ncc', 'build', source, '-o', target, '--quiet'], { cwd: build });
  const file = join(target, 'index.js');
  writeFileSync(file, COMMONJS_NAMES + readFileSync(file, 'utf8'));
  removeStrays(target);
  const kilobytes = Math.round(statSync(join(target, 'index.js')).size / 1024);
  return `${output}/index.js ${kilobytes} KB`;
}

/** ssh2 drags native sources along; nothing of them is loaded, as ssh2 falls back to JavaScript. */
function removeStrays(folder: string): void {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) {
      removeStrays(path);
      if (readdirSync(path).length === 0) rmdirSync(path);
    } else if (!ALLOWED.test(name)) {
      rmSync(path);
    }
  }
}

if (import.meta.main) {
  const wanted = process.argv.slice(2);
  const folders = bundledFolders().filter(
    (folder) => wanted.length === 0 || wanted.includes(folder),
  );
  try {
    await compile();
    for (const entry of folders.flatMap(entriesOf)) console.log(await bundle(entry));
  } finally {
    rmSync(build, { recursive: true, force: true });
  }
}
