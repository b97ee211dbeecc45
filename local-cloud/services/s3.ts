import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Identity } from '../identity.ts';
import { type Instance, loopback } from '../instance.ts';
import { type Daemon, filesOf } from './daemons.ts';

export const STATE_BUCKET = 'compta-terraform-state';
/** As the environments' backends say: it is part of what a request is signed with. */
const STATE_REGION = 'fsn1';

export function s3Address(instance: Instance): string {
  return `${loopback(instance, 2)}:9000`;
}

/** Versity's S3 gateway over plain files: it persists, and it honours conditional writes. */
export function s3Daemon(instance: Instance, identity: Identity): Daemon {
  const data = join(instance.stateDirectory, 's3');
  mkdirSync(join(data, STATE_BUCKET), { recursive: true, mode: 0o700 });
  return {
    argv: ['versitygw', '--region', STATE_REGION, '--port', s3Address(instance), 'posix', data],
    env: {
      PATH: process.env.PATH,
      ROOT_ACCESS_KEY: identity.stateAccessKey,
      ROOT_SECRET_KEY: identity.stateSecretKey,
    },
    ...filesOf(instance, 's3'),
  };
}
