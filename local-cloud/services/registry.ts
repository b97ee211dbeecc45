import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { run } from '../../lib/process/run.ts';
import type { Login } from '../../lib/registry/login.ts';
import type { Certificates, Identity } from '../identity.ts';
import { gatewayAddress, type Instance } from '../instance.ts';
import { type Daemon, filesOf } from './daemons.ts';

export function registryAddress(instance: Instance): string {
  return `${gatewayAddress(instance)}:5000`;
}

export function registryLogin(
  instance: Instance,
  { registryUser, registryPassword }: Pick<Identity, 'registryUser' | 'registryPassword'>,
): Login {
  return {
    registry: registryAddress(instance),
    username: registryUser,
    password: registryPassword,
  };
}

/** CNCF Distribution with TLS and a login, on the public side: runner and servers reach it alike. */
export async function registryDaemon(
  instance: Instance,
  identity: Identity,
  certificates: Certificates,
): Promise<Daemon> {
  const folder = join(instance.stateDirectory, 'registry');
  const data = join(folder, 'data');
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const accounts = join(folder, 'htpasswd');
  const { stdout } = await run(['htpasswd', '-inB', identity.registryUser], {
    input: identity.registryPassword,
  });
  writeFileSync(accounts, stdout, { mode: 0o600 });
  const configuration = join(folder, 'config.yml');
  writeFileSync(
    configuration,
    stringify({
      version: 0.1,
      log: { level: 'warn' },
      storage: { filesystem: { rootdirectory: data }, delete: { enabled: true } },
      http: {
        addr: registryAddress(instance),
        tls: { certificate: certificates.certificate, key: certificates.key },
      },
      auth: { htpasswd: { realm: 'compta', path: accounts } },
    }),
  );
  return { argv: ['docker-registry', 'serve', configuration], ...filesOf(instance, 'registry') };
}
