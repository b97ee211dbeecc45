import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Identity } from '../identity.ts';
import { type Instance, loopback } from '../instance.ts';
import type { Daemon } from '../processes.ts';

export const STATE_BUCKET = 'compta-terraform-state';

export function s3Address(instance: Instance): string {
  return `${loopback(instance, 2)}:9000`;
}

/** Versity's S3 gateway over plain files: it persists, and it honours conditional writes. */
export function s3Daemon(instance: Instance, identity: Identity): Daemon {
  const folder = join(instance.stateDirectory, 's3');
  const data = join(folder, 'data');
  mkdirSync(join(data, STATE_BUCKET), { recursive: true, mode: 0o700 });
  return {
    name: 's3',
    argv: ['versitygw', '--port', s3Address(instance), 'posix', data],
    env: {
      PATH: process.env.PATH,
      ROOT_ACCESS_KEY: identity.stateAccessKey,
      ROOT_SECRET_KEY: identity.stateSecretKey,
    },
    directory: folder,
  };
}
