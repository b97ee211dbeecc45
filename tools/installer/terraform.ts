import { chmodSync, copyFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Build, onPath, pythonCommand, sha256 } from './build.ts';
import type { TerraformPin } from './pins.ts';

/**
 * Takes the machine's terraform when it is byte for byte the pinned one, else downloads it.
 *
 * @throws Error when neither gives an executable with the pinned hash.
 */
export async function buildTerraform(pin: TerraformPin, build: Build): Promise<void> {
  const file = join(build.folder, 'terraform');
  const own = onPath('terraform');
  if (own !== undefined && (await sha256(own)) === pin.executableSha256) {
    copyFileSync(own, file);
  } else {
    await download(pin.source, build);
  }
  chmodSync(file, 0o755);
  const found = await sha256(file);
  if (found !== pin.executableSha256) {
    throw new Error(
      `terraform from ${pin.source} has the hash ${found}, which is not the pinned one`,
    );
  }
}

async function download(source: string, build: Build): Promise<void> {
  const archive = join(build.folder, 'terraform.zip');
  try {
    const response = await fetch(source, { signal: AbortSignal.timeout(300_000) });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    writeFileSync(archive, new Uint8Array(await response.arrayBuffer()));
    await build.exec([pythonCommand(), '-m', 'zipfile', '--extract', archive, build.folder]);
    rmSync(archive);
  } catch (cause) {
    throw new Error(
      `terraform could not be had from ${source}; put that version on the PATH and run again`,
      { cause },
    );
  }
}

/** Terraform's settings: providers come from the mirror and from nowhere else. */
export function terraformSettings(cache: string): string {
  return `disable_checkpoint = true

provider_installation {
  filesystem_mirror {
    path    = ${JSON.stringify(join(cache, 'terraform-providers'))}
    include = ["registry.terraform.io/*/*"]
  }
}
`;
}
