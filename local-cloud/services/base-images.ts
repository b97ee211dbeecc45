import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../lib/process/run.ts';
import { dockerConfig } from '../../lib/registry/login.ts';
import { cacheDirectory } from '../claim.ts';
import type { Identity } from '../identity.ts';
import type { Instance } from '../instance.ts';
import { registryAddress, registryLogin } from './registry.ts';

/** What a registry on the internet would have: the images that ours are built on or run beside. */
const BASE_IMAGES = ['java', 'caddy'] as const;
export type BaseImage = (typeof BASE_IMAGES)[number];

export function baseImageName(instance: Instance, image: BaseImage): string {
  return `${registryAddress(instance)}/base/${image}`;
}

/** Pushes them, and says under which digest each is to be had. */
export async function pushBaseImages(
  instance: Instance,
  identity: Identity,
  trustedAuthorities: string,
): Promise<Record<BaseImage, string>> {
  const archives = JSON.parse(
    readFileSync(join(cacheDirectory(), 'images', 'index.json'), 'utf8'),
  ) as Record<BaseImage, string>;
  const temp = mkdtempSync(join(tmpdir(), 'compta-base-'));
  const authFile = join(temp, 'auth.json');
  writeFileSync(authFile, dockerConfig(registryLogin(instance, identity)), { mode: 0o600 });
  try {
    const references = await Promise.all(
      BASE_IMAGES.map(async (image) => {
        const name = baseImageName(instance, image);
        const digestFile = join(temp, image);
        const argv = [
          'skopeo',
          'copy',
          '--quiet',
          '--insecure-policy',
          '--dest-authfile',
          authFile,
          '--digestfile',
          digestFile,
          archives[image].endsWith('.tar')
            ? `docker-archive:${archives[image]}`
            : `oci:${archives[image]}`,
          `docker://${name}:latest`,
        ];
        await run(argv, { env: { ...process.env, SSL_CERT_FILE: trustedAuthorities } });
        return [image, `${name}@${readFileSync(digestFile, 'utf8').trim()}`] as const;
      }),
    );
    return Object.fromEntries(references) as Record<BaseImage, string>;
  } finally {
    rmSync(temp, { recursive: true, force: true });
  }
}
