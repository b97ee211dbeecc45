import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../lib/process/run.ts';
import { checkout } from '../../local-cloud/claim.ts';

const MODULE = 'github.com/hetznercloud/terraform-provider-hcloud';
/** The release that the tests named `…_UpgradePluginFramework` begin with. */
const EARLIER = '1.63.0';

/** The provider's own tests, compiled. */
export interface Suite {
  version: string;
  /** The module's folder: its tests read templates from there. */
  source: string;
  binary(resource: string): string;
  logs: string;
  /** Terraform's configuration: where it finds the earlier release. */
  terraformConfig: string;
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
    terraformConfig: join(folder, 'terraform.rc'),
  };
  mkdirSync(suite.logs, { recursive: true });
  if (!existsSync(source)) await copyModule(version, source);
  for (const resource of resources) {
    if (existsSync(suite.binary(resource))) continue;
    print(`compiling the tests of ${resource}`);
    const argv = ['go', 'test', '-c', '-vet=off', `./internal/${resource}`];
    await compile(argv, source, suite.binary(resource));
  }
  const mirror = join(folder, 'mirror');
  const earlier = join(
    mirror,
    `registry.terraform.io/hetznercloud/hcloud/${EARLIER}/linux_amd64`,
    `terraform-provider-hcloud_v${EARLIER}`,
  );
  if (!existsSync(earlier)) {
    print(`compiling the provider ${EARLIER}`);
    const older = join(folder, `source-${EARLIER}`);
    if (!existsSync(older)) await copyModule(EARLIER, older);
    await compile(['go', 'build'], older, earlier);
  }
  writeFileSync(
    suite.terraformConfig,
    `provider_installation {\n  filesystem_mirror {\n    path = "${mirror}"\n  }\n}\n`,
  );
  return suite;
}

/** Out of the module cache, which is read-only, into a folder that passes for a checkout. */
async function copyModule(version: string, target: string): Promise<void> {
  const { stdout } = await run(['go', 'mod', 'download', '-json', `${MODULE}@v${version}`], {
    cwd: join(checkout, 'tools', 'go', 'hcloud-provider'),
  });
  const { Dir } = JSON.parse(stdout) as { Dir: string };
  const partial = `${target}.partial`;
  rmSync(partial, { recursive: true, force: true });
  cpSync(Dir, partial, { recursive: true, mode: 0 });
  await run(['chmod', '-R', 'u+w', partial]);
  // The tests look for the root of the repository by this folder.
  mkdirSync(join(partial, '.git'), { recursive: true });
  renameSync(partial, target);
}

async function compile(argv: readonly string[], cwd: string, output: string): Promise<void> {
  const [go = '', ...rest] = argv;
  const partial = `${output}.partial`;
  const flags = ['-trimpath', '-buildvcs=false', '-ldflags=-s -w', '-o', partial];
  const [verb = '', ...packages] = rest;
  await run(['nice', go, verb, ...flags, ...packages], { cwd });
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
