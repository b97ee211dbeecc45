import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../lib/process/run.ts';
import { checkout } from '../../local-cloud/claim.ts';

const MODULE = 'github.com/hetznercloud/terraform-provider-hcloud';

/** The provider's own tests, compiled. */
export interface Suite {
  version: string;
  /** The module's folder: its tests read templates from there. */
  source: string;
  binary(resource: string): string;
  logs: string;
}

/**
 * Compiles what is missing of the tests of these packages, at the version that tools/pins.json
 * names, into the cache.
 * @throws CommandFailed from Go
 */
export async function openSuite(
  resources: readonly string[],
  print: (line: string) => void,
): Promise<Suite> {
  const version = pinnedVersion();
  const folder = join(cacheFolder(), 'provider-tests', version);
  const source = join(folder, 'source');
  const suite: Suite = {
    version,
    source,
    binary: (resource) => join(folder, 'bin', `${resource}.test`),
    logs: join(folder, 'logs'),
  };
  mkdirSync(suite.logs, { recursive: true });
  if (!existsSync(source)) await copyModule(source);
  for (const resource of resources) {
    if (existsSync(suite.binary(resource))) continue;
    print(`compiling the tests of ${resource}`);
    await compile(`./internal/${resource}`, source, suite.binary(resource));
  }
  return suite;
}

/** Out of the module cache, which is read-only, into a folder that passes for a checkout. */
async function copyModule(target: string): Promise<void> {
  const { stdout } = await run(['go', 'list', '-m', '-f', '{{.Dir}}', MODULE], {
    cwd: join(checkout, 'tools', 'go', 'hcloud-provider'),
  });
  const partial = `${target}.partial`;
  rmSync(partial, { recursive: true, force: true });
  cpSync(stdout.trim(), partial, { recursive: true });
  await run(['chmod', '-R', 'u+w', partial]);
  // The tests look for the root of the repository by this folder.
  mkdirSync(join(partial, '.git'), { recursive: true });
  renameSync(partial, target);
}

async function compile(tested: string, cwd: string, output: string): Promise<void> {
  const partial = `${output}.partial`;
  const flags = ['-vet=off', '-trimpath', '-buildvcs=false', '-ldflags=-s -w'];
  await run(['nice', 'go', 'test', '-c', ...flags, '-o', partial, tested], { cwd });
  renameSync(partial, output);
}

function pinnedVersion(): string {
  const pins = JSON.parse(readFileSync(join(checkout, 'tools', 'pins.json'), 'utf8')) as {
    'hcloud-provider': { version: string };
  };
  return pins['hcloud-provider'].version;
}

function cacheFolder(): string {
  const folder = process.env.COMPTA_CACHE;
  if (!folder) throw new Error('COMPTA_CACHE is not set: start this with tools/run.');
  return folder;
}
